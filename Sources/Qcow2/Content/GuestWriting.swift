extension ImageDraft {
  /// Writes guest data into the active state: clusters are allocated, and shared ones copied.
  ///
  /// Everything stays in memory until the draft is prepared. Data are written before a snapshot is taken, not
  /// after it in the same draft.
  ///
  /// - Parameters:
  ///   - bytes: the data.
  ///   - offset: where, in bytes from the start of the disk; the data must end inside the disk.
  /// - Throws: ``Qcow2Error``; nothing was written.
  public mutating func write(_ bytes: [UInt8], at offset: UInt64) throws(Qcow2Error) {
    do throws(Qcow2Error) {
      guard !geometry.hasExtendedL2, image.header.cryptMethod == 0 else {
        throw Qcow2Error.unsupported("guest data cannot be written into this kind of image")
      }
      // Tables and data that only this draft has may be the snapshot's as well.
      guard newL1s.isEmpty else {
        throw Qcow2Error.unsupported(
          "a draft that has taken a snapshot takes no more guest data; commit it first")
      }
      guard offset <= size, UInt64(bytes.count) <= size - offset else {
        throw Qcow2Error.overLimit("the data end behind the end of the disk (\(size) bytes)")
      }
      try bitmaps.record(write: offset..<offset + UInt64(bytes.count))
      changesGuestData = true
      let clusterSize = UInt64(geometry.clusterSize)
      var done = 0
      while done < bytes.count {
        let position = offset + UInt64(done)
        let within = Int(position % clusterSize)
        let count = min(bytes.count - done, Int(clusterSize) - within)
        try writeCluster(bytes[done..<done + count], at: GuestOffset(position), within: within)
        done += count
      }
    } catch let error {
      throw error.in(image.path)
    }
  }

  private mutating func writeCluster(
    _ bytes: ArraySlice<UInt8>, at position: GuestOffset, within: Int
  ) throws(Qcow2Error) {
    let tableOffset = try ownL2Table(at: position)
    let index =
      Int(position.bytes >> UInt64(geometry.clusterBits)) & (geometry.l2EntryCount - 1)
    let entry = newL2s[tableOffset]?[index] ?? 0
    let range = within..<within + bytes.count
    if newData[entry & TableEntry.offsetMask]?.replaceSubrange(range, with: bytes) != nil { return }

    var content = [UInt8](repeating: 0, count: geometry.clusterSize)
    if bytes.count < content.count {
      switch ClusterMapping(entry, geometry) {
      case .zero: break
      case .data(let host):
        content = try image.file.readZeroPadded(byteCount: content.count, at: Int64(host.bytes))
      case .unallocated:
        guard image.area.backingFileName == nil else {
          throw .unsupported(
            "part of the cluster comes from the backing file, which is never opened")
        }
      case .compressed(let host, let byteCount):
        var span = content.mutableSpan
        try span.withUnsafeMutableBytes { (buffer) throws(Qcow2Error) in
          try image.inflate(
            at: host, byteCount: byteCount, guest: GuestOffset(position.bytes - UInt64(within)),
            into: buffer)
        }
      }
    }
    content.replaceSubrange(range, with: bytes)
    let place = geometry.offset(of: try refcounts.allocate(1).first).bytes
    newData[place] = content
    newL2s[tableOffset]?[index] = place
  }

  /// The L2 table of a guest offset as a table of this draft's own, copied if it is on disk.
  private mutating func ownL2Table(at position: GuestOffset) throws(Qcow2Error) -> UInt64 {
    let index = Int(position.bytes >> UInt64(geometry.l2CoverageBits))
    let old = activeL1[index]
    if newL2s[old] != nil { return old }
    let new = geometry.offset(of: try refcounts.allocate(1).first).bytes
    newL2s[new] =
      old == 0
      ? [UInt64](repeating: 0, count: geometry.clusterSize / 8)
      : try image.file.readWords(count: geometry.clusterSize / 8, at: HostOffset(old))
    addTree(old, -1)
    addTree(new, 1)
    activeL1[index] = new
    return new
  }
}
