extension ImageDraft {
  /// Works out what loads have changed, takes away the references of bitmaps that will have no bits any more,
  /// and estimates what is to be written.
  mutating func settleBitmaps(_ checkpoint: @escaping Checkpoint) throws {
    guard bitmaps.isChanged else { return }
    try bitmaps.checkKept()
    try bitmaps.settle(checkpoint)
    for entry in bitmaps.releasedEntries { try releaseBits(of: entry) }
    let clusterCount = try bitmaps.clusterCountEstimate()
    bitmapByteCount = Int64(clusterCount) << Int64(geometry.clusterBits)
  }

  /// Takes away the references to a bitmap's table and bits.
  mutating func releaseBits(of entry: BitmapDirectoryEntry) throws(Qcow2Error) {
    let table = try BitmapTable(of: entry, in: image)
    let tableRun = HostRun(
      first: geometry.cluster(at: entry.tableOffset),
      count: geometry.clusterCount(bytes: table.entries.count * 8))
    for index in 0..<tableRun.count { try release(tableRun[index]) }
    for offset in table.dataOffsets { try release(geometry.cluster(at: offset)) }
  }

  /// Bitmaps share nothing: where more than one reference is counted the table is not to be believed.
  private mutating func release(_ cluster: HostCluster) throws(Qcow2Error) {
    guard refcounts[cluster] == 1 else {
      throw .corrupt(
        "a cluster of a bitmap belongs to something else as well",
        at: geometry.offset(of: cluster).bytes)
    }
    try refcounts.add(-1, to: cluster)
  }
}

extension BitmapSet {
  /// Refuses to write the entries of bitmaps anew that have something nobody knows, extra data for example.
  fileprivate func checkKept() throws(Qcow2Error) {
    for member in members {
      guard let stored = member.stored else { continue }
      guard stored.isSound(diskSize: image.header.size, image.geometry) else {
        throw .malformed("Bitmap '\(stored.printableName)' doesn't satisfy the constraints")
      }
    }
  }

  /// What the directory on disk says of bitmaps that will have no bits any more.
  var releasedEntries: Set<BitmapDirectoryEntry> {
    let kept = members.filter { !($0.loads.isEmpty && $0.content?.isClean == true) }
    return Set(image.bitmapEntries).subtracting(kept.compactMap(\.stored))
  }

  /// Clusters that the directory, and tables and bits of changed bitmaps will take, as an estimate from above.
  fileprivate func clusterCountEstimate() throws(Qcow2Error) -> Int {
    let geometry = image.geometry
    var count = geometry.clusterCount(bytes: directoryByteCount)
    for member in members where member.hasNewBits {
      let bits = member.bitmap.granularityBits
      let entryCount = geometry.clusterCount(
        bytes: Int(try BitmapContent(size: size, granularityBits: bits).byteCount))
      count += geometry.clusterCount(bytes: entryCount * 8)
      if let content = member.content {
        count += (0..<entryCount).count { !content.isClean(serialised: geometry.bytes(of: $0)) }
      } else if let stored = member.stored {
        count += try BitmapTable(of: stored, in: image).entries.count { $0 != .zeros }
      }
      let coverageBits = UInt64(geometry.clusterBits + 3 + bits)
      var ranges = 0
      for pending in member.loads where pending.isRecorded {
        for range in loads[pending.index].ranges ?? [] {
          ranges +=
            Int((range.upperBound - 1) >> coverageBits - range.lowerBound >> coverageBits) + 1
        }
      }
      count += min(ranges, entryCount)
    }
    return count
  }

  /// Bytes of the directory as it will be.
  var directoryByteCount: Int {
    members.reduce(0) {
      $0 + BitmapDirectoryEntry.byteCount(nameByteCount: $1.bitmap.nameBytes.count)
    }
  }
}

extension ClusterGeometry {
  /// The bytes of the cluster of this number, where clusters follow each other.
  fileprivate func bytes(of index: Int) -> Range<Int> {
    index << clusterBits..<(index + 1) << clusterBits
  }
}

extension DraftWriter {
  /// Writes changed bitmaps and the directory; what does not change stays where it is.
  mutating func writeBitmaps(_ header: inout Header) throws {
    let set = draft.bitmaps
    guard set.isChanged else { return }
    var directory: [UInt8] = []
    let released = set.releasedEntries
    for member in set.members {
      directory += try writeBitmap(member, isReleased: member.stored.map(released.contains) ?? true)
        .encoded
    }
    if let old = try image.area.bitmapsExtension() {
      let run = HostRun(
        first: geometry.cluster(at: old.directoryOffset),
        count: geometry.clusterCount(bytes: Int(old.directoryByteCount)))
      for index in 0..<run.count { try draft.refcounts.add(-1, to: run[index]) }
    }
    extensions.removeAll { $0.type == HeaderExtension.bitmaps }
    guard !directory.isEmpty else {
      header.autoclear.remove(.bitmaps)
      return
    }
    let run = try newRun(geometry.clusterCount(bytes: directory.count))
    try write(padded(directory, run), geometry.offset(of: run.first))
    let ext = BitmapsExtension(
      count: set.members.count, directoryByteCount: directory.count,
      directoryOffset: geometry.offset(of: run.first))
    extensions.append(
      HeaderExtension(type: HeaderExtension.bitmaps, data: ext.encoded, position: 0))
    header.autoclear.insert(.bitmaps)
  }

  /// Writes one bitmap, if it has other bits than on disk.
  ///
  /// - Returns: its entry in the directory.
  private mutating func writeBitmap(
    _ member: BitmapSet.Member, isReleased: Bool
  ) throws -> BitmapDirectoryEntry {
    let bitmap = member.bitmap
    var entry =
      member.stored
      ?? BitmapDirectoryEntry(
        tableOffset: HostOffset(0), tableSize: 0, flags: 0,
        granularityBits: UInt8(bitmap.granularityBits), name: bitmap.nameBytes)
    entry.flags =
      (bitmap.isEnabled ? BitmapDirectoryEntry.autoFlag : 0)
      | (bitmap.isInconsistent ? BitmapDirectoryEntry.inUseFlag : 0)
    guard member.hasNewBits else { return entry }
    let content = try draft.bitmaps.content(of: member)
    if let stored = member.stored, !isReleased { try draft.releaseBits(of: stored) }
    let words = try writeBits(content).map(\.word)
    entry.tableOffset = try writeTable(words)
    entry.tableSize = UInt32(words.count)
    return entry
  }

  /// Writes the clusters of bits that are neither all clear nor all set.
  private mutating func writeBits(_ content: BitmapContent) throws -> [BitmapTable.Entry] {
    let entryCount = max(1, geometry.clusterCount(bytes: Int(content.byteCount)))
    var entries = [BitmapTable.Entry](repeating: .zeros, count: entryCount)
    var waiting: [Int] = []
    for index in entries.indices {
      let bytes = geometry.bytes(of: index)
      if content.isClean(serialised: bytes) { continue }
      if content.isFull(serialised: bytes) { entries[index] = .ones } else { waiting.append(index) }
    }
    let atOnce = max(1, PosixFile.batchByteCount / geometry.clusterSize)
    var next = 0
    while next < waiting.count {
      let left = min(waiting.count - next, atOnce)
      let run = try draft.refcounts.allocate(upTo: left, atLeast: min(left, 16))
      var bytes: [UInt8] = []
      bytes.reserveCapacity(run.count * geometry.clusterSize)
      for offset in 0..<run.count {
        try draft.refcounts.add(1, to: run[offset])
        let index = waiting[next + offset]
        entries[index] = .data(geometry.offset(of: run[offset]))
        bytes += content.serialised(geometry.bytes(of: index))
      }
      try write(bytes, geometry.offset(of: run.first))
      next += run.count
    }
    return entries
  }
}
