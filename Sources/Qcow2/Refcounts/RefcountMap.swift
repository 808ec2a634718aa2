/// The references to every cluster of an image while a change is worked out, and which clusters may be
/// written to.
///
/// A cluster may be written to if it is free in the image as it is on disk *and* in the image as it
/// will be. So each count carries a mark that stays: the cluster was in use when the map was loaded, or
/// has been handed out since.
struct RefcountMap: Sendable {
  let geometry: ClusterGeometry
  /// Clusters that the file has room for: unlimited for a regular file, the length of a block device.
  let clusterLimit: Int
  /// The counts by refcount block; an empty array is a block that is not on disk: all zero.
  private var blocks: [[UInt32]]
  /// The first cluster behind all that were counted as used on disk.
  let loadedEnd: Int
  /// Where each block is on disk; nil for none.
  private(set) var blockClusters: [HostCluster?]
  /// Whether each block differs from the disk.
  private var isChanged: [Bool]
  /// The blocks that have a new place, and where.
  private(set) var movedBlocks: [Int: HostCluster] = [:]
  /// Where the search for free clusters goes on.
  private var searchStart = 1
  /// Whether a count has become exactly 1: some COPIED flag may have to be set then.
  private(set) var hasReachedOne = false

  /// log2 of the counts in a block.
  private let blockShift: Int

  /// A count with its mark.
  struct Count: Sendable, Hashable {
    fileprivate let word: UInt32

    /// Free, and may be written to.
    static let unused = Count(word: 0)

    /// A count of a cluster that must not be written to, be the count 0.
    static func used(_ count: UInt32) -> Count { Count(word: count | RefcountMap.used) }
  }

  private static let used: UInt32 = 1 << 31
  private static let countMask: UInt32 = used - 1

  /// Starts from the blocks as they are on disk.
  init(
    geometry: ClusterGeometry, blocks: [[UInt32]], blockClusters: [HostCluster?], clusterLimit: Int
  ) {
    self.geometry = geometry
    self.clusterLimit = clusterLimit
    self.blockClusters = blockClusters
    self.blocks = blocks
    isChanged = [Bool](repeating: false, count: blocks.count)
    blockShift = geometry.refcountBlockEntryCount.trailingZeroBitCount
    var loadedEnd = 0
    for block in self.blocks.indices {
      for index in self.blocks[block].indices where self.blocks[block][index] != 0 {
        self.blocks[block][index] |= Self.used
        loadedEnd = block << blockShift + index + 1
      }
    }
    self.loadedEnd = loadedEnd
  }

  /// Starts from counts that have no place on disk: every block is to be written.
  ///
  /// - Parameters:
  ///   - geometry: the image's.
  ///   - blocks: the counts by refcount block; an empty array for a block of which all are unused.
  ///   - clusterLimit: clusters that the file has room for.
  init(rebuilding geometry: ClusterGeometry, blocks: [[Count]], clusterLimit: Int) {
    self.geometry = geometry
    self.clusterLimit = clusterLimit
    self.blocks = blocks.map { $0.map(\.word) }
    blockClusters = [HostCluster?](repeating: nil, count: blocks.count)
    isChanged = blocks.map { !$0.isEmpty }
    blockShift = geometry.refcountBlockEntryCount.trailingZeroBitCount
    loadedEnd =
      self.blocks.indices.reversed().lazy.compactMap { [blocks = self.blocks, blockShift] block in
        blocks[block].lastIndex { $0 != 0 }.map { block << blockShift + $0 + 1 }
      }.first ?? 0
    // Whether a count was another one on disk is not known.
    hasReachedOne = true
  }

  /// Refuses an image that counts clusters of its own structures as free: they could be handed out.
  func requireUse(of structures: ClusterUses) throws(Qcow2Error) {
    try structures.forEach { (cluster) throws(Qcow2Error) in try requireUse(of: cluster) }
  }

  /// Refuses an image that counts the cluster of a structure as free.
  func requireUse(of cluster: HostCluster) throws(Qcow2Error) {
    if self[cluster] == 0 { throw missingReference(cluster) }
  }

  private var perBlock: Int { 1 << blockShift }

  /// The blocks that differ from the disk.
  var changedBlocks: [Int] { isChanged.indices.filter { isChanged[$0] } }

  /// The count of a cluster.
  subscript(cluster: HostCluster) -> UInt32 {
    let (block, index) = (cluster.index >> blockShift, cluster.index & (perBlock - 1))
    guard block < blocks.count, !blocks[block].isEmpty else { return 0 }
    return blocks[block][index] & Self.countMask
  }

  /// Adds to the count of a cluster.
  ///
  /// - Throws: ``Qcow2Error``: tooManyReferences if the width cannot hold the result; corrupt if the
  ///   cluster has fewer references than are taken away, or none where one was found.
  mutating func add(_ delta: Int, to cluster: HostCluster) throws(Qcow2Error) {
    let (block, index) = (cluster.index >> blockShift, cluster.index & (perBlock - 1))
    guard block < blocks.count, !blocks[block].isEmpty else { throw missingReference(cluster) }
    let word = blocks[block][index]
    guard word != 0 else { throw missingReference(cluster) }
    let old = Int(word & Self.countMask)
    let new = old + delta
    guard new >= 0 else { throw missingReference(cluster) }
    guard new <= Int(geometry.refcountMaximum) else {
      throw .tooManyReferences(
        "a cluster would have \(new) references, and this image's refcounts end at "
          + "\(geometry.refcountMaximum); delete a snapshot, or copy the disk to an image with wider "
          + "refcounts (qemu-img convert -o refcount_bits=16)",
        at: geometry.offset(of: cluster).bytes)
    }
    if new == 1 { hasReachedOne = true }
    blocks[block][index] = UInt32(new) | Self.used
    isChanged[block] = true
  }

  private func missingReference(_ cluster: HostCluster) -> Qcow2Error {
    .corrupt(
      "a cluster in use is counted as free or lies outside the file",
      at: geometry.offset(of: cluster).bytes)
  }

  /// Hands out a contiguous run of clusters that are free on disk and in the map, with count 0.
  mutating func allocate(_ count: Int) throws(Qcow2Error) -> HostRun {
    try allocate(upTo: count, atLeast: count)
  }

  /// Hands out the next run of free clusters that is long enough.
  ///
  /// - Parameters:
  ///   - wanted: clusters that are needed; at least 1.
  ///   - minimum: shorter runs are left for others.
  /// - Returns: a run of `minimum` to `wanted` clusters.
  /// - Throws: ``Qcow2Error`` (noSpace) if a block device is full.
  mutating func allocate(upTo wanted: Int, atLeast minimum: Int) throws(Qcow2Error) -> HostRun {
    var start = searchStart
    var firstFree: Int?
    while true {
      let first = nextFree(from: start)
      if firstFree == nil { firstFree = first }
      let length = freeLength(from: first, atMost: wanted)
      let fits = first + length <= clusterLimit
      guard fits || first + minimum <= clusterLimit else {
        throw Qcow2Error(.noSpace, "the image has no \(minimum) free clusters in a row left")
      }
      let usable = min(length, clusterLimit - first)
      if usable >= minimum {
        let run = HostRun(first: HostCluster(first), count: usable)
        handOut(run)
        // Everything below the first free cluster seen is in use for good.
        searchStart = firstFree == first ? run.end : firstFree ?? run.end
        return run
      }
      start = first + length
    }
  }

  private func nextFree(from start: Int) -> Int {
    var cluster = start
    while true {
      let (block, index) = cluster.quotientAndRemainder(dividingBy: perBlock)
      guard block < blocks.count, !blocks[block].isEmpty else { return cluster }
      let counts = blocks[block]
      var position = index
      while position < counts.count, counts[position] != 0 { position += 1 }
      if position < counts.count { return block * perBlock + position }
      cluster = (block + 1) * perBlock
    }
  }

  private func freeLength(from first: Int, atMost wanted: Int) -> Int {
    var length = 1
    while length < wanted {
      let (block, index) = (first + length).quotientAndRemainder(dividingBy: perBlock)
      guard block < blocks.count, !blocks[block].isEmpty else {
        length = min(wanted, length + perBlock - index)
        continue
      }
      guard blocks[block][index] == 0 else { break }
      length += 1
    }
    return length
  }

  private mutating func handOut(_ run: HostRun) {
    for cluster in run.first.index..<run.end {
      let (block, index) = cluster.quotientAndRemainder(dividingBy: perBlock)
      while block >= blocks.count {
        blocks.append([])
        blockClusters.append(nil)
        isChanged.append(false)
      }
      if blocks[block].isEmpty { blocks[block] = [UInt32](repeating: 0, count: perBlock) }
      blocks[block][index] = Self.used
    }
  }

  /// Moves every changed block to a new cluster, until no move changes another block.
  ///
  /// May be called again after further changes: a block moves once.
  mutating func relocateChangedBlocks() throws(Qcow2Error) {
    while true {
      let waiting = changedBlocks.filter { movedBlocks[$0] == nil }
      guard !waiting.isEmpty else { return }
      var run = HostRun(first: HostCluster(0), count: 0)
      var used = 0
      for (position, block) in waiting.enumerated() {
        if used == run.count {
          run = try allocate(upTo: waiting.count - position, atLeast: 1)
          used = 0
        }
        let cluster = run[used]
        used += 1
        try add(1, to: cluster)
        if let old = blockClusters[block] { try add(-1, to: old) }
        movedBlocks[block] = cluster
        blockClusters[block] = cluster
      }
    }
  }

  /// A block's bytes as they are to be on disk.
  func encodedBlock(_ block: Int) -> [UInt8] {
    RefcountBlockCoding.encode(
      blocks[block].map { $0 & Self.countMask }, order: geometry.refcountOrder)
  }

  /// Runs of clusters that the image used on disk and does not use any more, below a limit.
  func freedRuns(below limit: Int) -> [HostRun] {
    var runs: [HostRun] = []
    for block in changedBlocks {
      for index in blocks[block].indices where blocks[block][index] == Self.used {
        let cluster = block * perBlock + index
        guard cluster < limit else { break }
        if let last = runs.last, last.end == cluster {
          runs[runs.count - 1] = HostRun(first: last.first, count: last.count + 1)
        } else {
          runs.append(HostRun(first: HostCluster(cluster), count: 1))
        }
      }
    }
    return runs
  }

  /// The first cluster behind all that are in use.
  var end: Int {
    for block in blocks.indices.reversed() {
      if let index = blocks[block].lastIndex(where: { $0 & Self.countMask != 0 }) {
        return block * perBlock + index + 1
      }
    }
    return 1
  }
}
