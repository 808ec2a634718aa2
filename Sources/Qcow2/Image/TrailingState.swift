extension Image {
  /// The first bytes of VM state as QEMU writes it (`QEMU_VM_FILE_MAGIC`).
  private static var vmStateMagic: [UInt8] { Array("QEVM".utf8) }

  /// Whether what an L1 table has beyond the disk's end is VM state that was left there, or nothing: not
  /// guest data of a disk whose size in the header is wrong. Of an encrypted image nobody can tell.
  ///
  /// - Parameter tail: the L2 tables beyond the disk; 0 for none.
  /// - Returns: whether they may be left out.
  /// - Throws: ``Qcow2Error`` if a table cannot be read or is damaged.
  func hasOnlyVMState(in tail: ArraySlice<UInt64>) throws(Qcow2Error) -> Bool {
    if !(try hasData(in: tail)) { return true }
    guard header.cryptMethod == 0 else { return false }
    var reader = GuestReader(
      mapping: self, l1: Array(tail), size: UInt64(clusterSize), hasBackingFile: false)
    guard case .data = try reader.mapping(at: GuestOffset(0)).0 else { return false }
    var start = [UInt8](repeating: 0, count: Self.vmStateMagic.count)
    var span = start.mutableSpan
    try span.withUnsafeMutableBytes { (buffer) throws(Qcow2Error) in
      try reader.read(into: buffer, at: 0)
    }
    return start == Self.vmStateMagic
  }

  /// Whether one of these L2 tables leads to a cluster.
  private func hasData(in tables: ArraySlice<UInt64>) throws(Qcow2Error) -> Bool {
    for table in tables where table != 0 {
      let words = try file.readWords(
        count: clusterSize / 8, at: HostOffset(table), isZeroPadded: true)
      for index in stride(from: 0, to: words.count, by: geometry.l2EntryWords)
      where words[index] & (TableEntry.offsetMask | TableEntry.compressed) != 0 { return true }
    }
    return false
  }
}
