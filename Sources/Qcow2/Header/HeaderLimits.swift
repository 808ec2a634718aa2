extension Header {
  /// Checks every field that leads to a read or an allocation, before either happens
  /// (QEMU's `qcow2_do_open`; the texts are QEMU's where it has one).
  func validate() throws(Qcow2Error) {
    let clusterSize = UInt64(1) << UInt64(clusterBits)
    guard refcountOrder <= 6 else {
      throw .unsupported("Reference count entry width too large; may not exceed 64 bits")
    }
    if backingFileOffset != 0 {
      guard backingFileOffset >= UInt64(byteCount), backingFileOffset <= clusterSize else {
        throw .malformed("Invalid backing file offset", at: 8)
      }
      guard UInt64(backingFileSize) <= clusterSize - backingFileOffset,
        backingFileSize <= Limits.backingFileNameByteCount
      else { throw .overLimit("Backing file name too long") }
    }
    guard cryptMethod <= 2 else {
      throw .unsupported("Unsupported encryption method \(cryptMethod)")
    }
    if incompatible.contains(.extendedL2), clusterBits < 14 {
      throw .unsupported("Unsupported subcluster size: \(clusterSize / 32)")
    }
    if compressionType > 1 || (compressionType == 1) != incompatible.contains(.compressionType) {
      throw .malformed(
        "qcow2: Compression type incompatible feature bit must agree with the compression type",
        at: 104)
    }
    try checkTable(
      refcountTableOffset, entries: UInt64(refcountTableClusters) * clusterSize / 8, entrySize: 8,
      maximumByteCount: Limits.refcountTableByteCount, name: "Reference count table")
    guard snapshotCount <= Limits.snapshotCount else {
      throw .overLimit("Snapshot table too large")
    }
    // Also of an empty table, as in QEMU.
    try checkTable(
      snapshotsOffset, entries: UInt64(snapshotCount), entrySize: 40,
      maximumByteCount: Limits.snapshotTableByteCount, name: "Snapshot table")
    try checkTable(
      l1TableOffset, entries: UInt64(l1Size), entrySize: 8,
      maximumByteCount: Limits.l1ByteCount, name: "Active L1 table")
    let needed = geometry.l1EntryCount(diskSize: size)
    guard needed <= UInt64(Limits.l1ByteCount / 8) else { throw .overLimit("Image is too big") }
    guard UInt64(l1Size) >= needed else { throw .malformed("L1 table is too small", at: 36) }
  }

  /// QEMU's `qcow2_validate_table`.
  func checkTable(
    _ offset: HostOffset, entries: UInt64, entrySize: UInt64, maximumByteCount: Int, name: String
  ) throws(Qcow2Error) {
    guard entries <= UInt64(maximumByteCount) / entrySize else {
      throw .overLimit("\(name) too large")
    }
    // As QEMU: whether the table lies inside the file shows when it is read.
    guard geometry.isAligned(offset), offset.bytes <= UInt64(Int64.max) - entries * entrySize else {
      throw .malformed("\(name) offset invalid", at: offset.bytes)
    }
  }
}
