/// Told how many bytes of work were done; may block for a pause, and throws to stop the work.
public typealias Checkpoint = (_ byteCount: Int64) throws -> Void

extension ImageDraft {
  /// Bytes of tables that ``settle(_:)`` will read.
  public var settleByteCount: Int64 {
    Int64(treeDeltas.keys.count { newL2s[$0] == nil }) << Int64(geometry.clusterBits)
  }

  /// Bytes that ``prepare(_:)`` will write, as an estimate from above; of a settled draft.
  public var writeByteCountEstimate: Int64 {
    let tables =
      copiedSeen.count + newL2s.count + newClusterCount + refcounts.changedBlocks.count
      + blockSlack
    let l1Bytes = (activeL1.count + newL1s.values.reduce(0) { $0 + $1.count }) * 8
    let structures =
      geometry.clusterCount(bytes: l1Bytes) + newL1s.count
      + geometry.clusterCount(bytes: table.encoded().count)
      + Int(image.header.refcountTableClusters) + 2
    return Int64(tables + structures) << Int64(geometry.clusterBits) + bitmapByteCount
  }

  /// Refcount blocks that change only because something is written into new clusters.
  private var blockSlack: Int {
    let bitmapClusterCount = Int(bitmapByteCount >> Int64(geometry.clusterBits))
    return 2 + (copiedSeen.count + newL2s.count + newClusterCount + bitmapClusterCount)
      / geometry.refcountBlockEntryCount
  }

  /// Clusters of content that are written.
  private var newClusterCount: Int {
    newVMStates.reduce(newData.count) { $0 + $1.clusterCount }
  }

  /// Works out the new refcounts in memory: the first pass over the L2 tables.
  ///
  /// - Throws: ``Qcow2Error``: tooManyReferences if the refcount width does not suffice, corrupt if the
  ///   image contradicts itself; whatever the checkpoint throws. Nothing was written.
  public mutating func settle(_ checkpoint: @escaping Checkpoint) throws {
    do {
      // What is taken away goes first, so that a count does not overflow in between.
      try settleTrees(treeDeltas.filter { $0.value < 0 }, checkpoint)
      try settleTrees(treeDeltas.filter { $0.value > 0 }, checkpoint)
      for run in droppedRuns {
        for cluster in run.first.index..<run.end { try refcounts.add(-1, to: HostCluster(cluster)) }
      }
      try settleBitmaps(checkpoint)
      try requireTables()
      isSettled = true
    } catch let error as Qcow2Error {
      throw error.in(image.path)
    }
  }

  /// Refuses an image in which a table that stays in use has no reference left: its counts were too low, and
  /// its cluster would be given away.
  private func requireTables() throws(Qcow2Error) {
    func require(_ l1: [UInt64]) throws(Qcow2Error) {
      for offset in l1 where offset != 0 {
        try refcounts.requireUse(of: geometry.cluster(at: HostOffset(offset)))
      }
    }
    // A repair has found out what there is, and says what it cannot mend.
    guard recount == nil else { return }
    try require(activeL1)
    for position in table.entries.indices { try require(try l1(at: position)) }
  }

  private mutating func settleTrees(_ deltas: [UInt64: Int], _ checkpoint: Checkpoint) throws {
    let geometry = self.geometry
    let onDisk = deltas.keys.filter { newL2s[$0] == nil }.sorted().map(HostOffset.init)
    for offset in newL2s.keys {
      guard let delta = deltas[offset], let words = newL2s[offset] else { continue }
      try refcounts.add(delta, to: geometry.cluster(at: HostOffset(offset)))
      _ = try Self.count(words[...], delta, geometry, &refcounts, structures)
    }
    let structures = self.structures
    // Taken out so that the closure does not hold `self` while the reader runs.
    var map = refcounts
    refcounts = RefcountMap(rebuilding: geometry, blocks: [], clusterLimit: 0)
    var copied: Set<UInt64> = []
    // The last cluster of a file may be there in part.
    try image.file.readTables(onDisk, geometry: geometry, isZeroPadded: true) {
      offset, words, range in
      let delta = deltas[offset.bytes] ?? 0
      try map.add(delta, to: geometry.cluster(at: offset))
      if try Self.count(words[range], delta, geometry, &map, structures) {
        copied.insert(offset.bytes)
      }
      try checkpoint(Int64(geometry.clusterSize))
    }
    refcounts = map
    copiedSeen.formUnion(copied)
  }

  /// Adds to the references of everything that an L2 table points to, which is never a structure: its
  /// reference would be taken for that of guest data, and its cluster given away.
  ///
  /// - Returns: whether an entry has the COPIED flag.
  private static func count(
    _ words: ArraySlice<UInt64>, _ delta: Int, _ geometry: ClusterGeometry,
    _ refcounts: inout RefcountMap, _ structures: ClusterUses?
  ) throws(Qcow2Error) -> Bool {
    func add(to cluster: HostCluster) throws(Qcow2Error) {
      if let structures, structures.contains(cluster), let use = structures[cluster] {
        throw .corrupt(
          "guest data lie on \(use.name)", at: geometry.offset(of: cluster).bytes
        )
      }
      try refcounts.add(delta, to: cluster)
    }
    var flags: UInt64 = 0
    let step = geometry.l2EntryWords
    let unaligned = UInt64(geometry.clusterSize - 1)
    var index = words.startIndex
    while index < words.endIndex {
      let entry = words[index]
      index += step
      if entry & TableEntry.compressed != 0 {
        let (offset, byteCount) = ClusterMapping.compressedExtent(entry, geometry)
        let first = geometry.cluster(at: offset).index
        let last = geometry.cluster(at: HostOffset(offset.bytes + UInt64(byteCount) - 1)).index
        for cluster in first...last { try add(to: HostCluster(cluster)) }
        continue
      }
      let offset = entry & TableEntry.offsetMask
      guard entry & TableEntry.l2ReservedMask == 0, offset & unaligned == 0 else {
        throw .corrupt("an L2 entry is not valid", at: offset)
      }
      guard offset != 0 else { continue }
      flags |= entry
      try add(to: geometry.cluster(at: HostOffset(offset)))
    }
    return flags & TableEntry.copied != 0
  }
}
