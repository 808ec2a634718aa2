/// Works out the room of all snapshots of an image in one pass over their L2 tables.
struct SnapshotSurvey {
  /// An L2 table that at least one snapshot points to.
  private struct Table {
    /// The snapshot whose deletion frees it; nil if others point to it as well.
    let owner: Int?
    /// Bytes of the table and of all that it points to.
    var referenced: UInt64 = 0
  }

  private let image: Image
  private let geometry: ClusterGeometry
  private let refcounts: RefcountMap
  private(set) var space: [SnapshotSpace]
  private var tables: [UInt64: Table] = [:]
  /// For each snapshot, clusters of compressed data that several entries refer to, and how many of these
  /// are in tables that only this snapshot has.
  private var sharedParts: [[HostCluster: UInt32]]

  init(_ image: Image) throws(Qcow2Error) {
    self.image = image
    geometry = image.geometry
    refcounts = try image.currentRefcounts()
    let count = image.table.entries.count
    space = [SnapshotSpace](repeating: SnapshotSpace(), count: count)
    sharedParts = [[HostCluster: UInt32]](repeating: [:], count: count)
  }

  mutating func run() throws {
    try addL1Tables()
    try collectTables()
    try readTables()
    for (position, parts) in sharedParts.enumerated() {
      let freed = parts.count { refcounts[$0.key] == $0.value }
      space[position].used += bytes(freed)
    }
    try addUpReferences()
  }

  private func bytes(_ clusters: Int) -> UInt64 {
    UInt64(clusters) << UInt64(geometry.clusterBits)
  }

  private mutating func addL1Tables() throws(Qcow2Error) {
    for (position, entry) in image.table.entries.enumerated() {
      try entry.validate(geometry)
      let first = geometry.cluster(at: entry.l1TableOffset).index
      let count = geometry.clusterCount(bytes: Int(entry.l1Size) * 8)
      let own = (first..<first + count).count { refcounts[HostCluster($0)] == 1 }
      space[position].used += bytes(own)
      space[position].referenced += bytes(count)
    }
  }

  /// Goes through all snapshots and tells where each L1 table differs from the one before: that is little,
  /// and nothing has to be kept.
  private func forEachChange(
    _ body: (_ position: Int, _ old: UInt64, _ new: UInt64) throws(Qcow2Error) -> Void
  ) throws(Qcow2Error) {
    var previous: [UInt64] = []
    for (position, entry) in image.table.entries.enumerated() {
      let l1 = try image.readL1(of: entry).map { $0 & TableEntry.offsetMask }
      for index in 0..<max(l1.count, previous.count) {
        let old = index < previous.count ? previous[index] : 0
        let new = index < l1.count ? l1[index] : 0
        if old != new { try body(position, old, new) }
      }
      previous = l1
    }
  }

  /// Finds all L2 tables. One that has a single reference belongs to the snapshot that it was found in:
  /// no other L1 table leads to it.
  private mutating func collectTables() throws(Qcow2Error) {
    var found: [UInt64: Table] = [:]
    let fileLength = UInt64(image.fileLength)
    try forEachChange { (position, _, new) throws(Qcow2Error) in
      guard new != 0, found[new] == nil else { return }
      // So there are never more of them than clusters in the file.
      guard new < fileLength else {
        throw .corrupt("an L2 table lies beyond the end of the file", at: new)
      }
      let isOwn = refcounts[geometry.cluster(at: HostOffset(new))] == 1
      found[new] = Table(owner: isOwn ? position : nil)
    }
    tables = found
  }

  private mutating func readTables() throws {
    let offsets = tables.keys.sorted().map(HostOffset.init)
    try image.file.readTables(offsets, geometry: geometry) { offset, words, range in
      try count(words[range], of: offset.bytes)
    }
  }

  /// Adds up what a table points to, and what of that its owner's deletion frees.
  private mutating func count(
    _ words: ArraySlice<UInt64>, of table: UInt64
  ) throws(Qcow2Error) {
    let owner = tables[table]?.owner
    var referenced = bytes(1)
    var freed = owner == nil ? 0 : 1
    for index in stride(from: words.startIndex, to: words.endIndex, by: geometry.l2EntryWords) {
      let entry = words[index]
      if entry & TableEntry.compressed != 0 {
        let (offset, byteCount) = ClusterMapping.compressedExtent(entry, geometry)
        referenced += UInt64(byteCount)
        if let owner { freed += countParts(at: offset, byteCount: byteCount, of: owner) }
        continue
      }
      let offset = HostOffset(entry & TableEntry.offsetMask)
      guard entry & TableEntry.l2ReservedMask == 0, geometry.isAligned(offset) else {
        throw .corrupt("an L2 entry is not valid", at: offset.bytes)
      }
      guard offset.bytes != 0 else { continue }
      referenced += bytes(1)
      if owner != nil, refcounts[geometry.cluster(at: offset)] == 1 { freed += 1 }
    }
    tables[table]?.referenced = referenced
    if let owner { space[owner].used += bytes(freed) }
  }

  /// Counts one reference to each cluster of compressed data.
  ///
  /// - Returns: clusters to which this is the only one.
  private mutating func countParts(at offset: HostOffset, byteCount: Int, of owner: Int) -> Int {
    let first = geometry.cluster(at: offset).index
    let last = geometry.cluster(at: HostOffset(offset.bytes + UInt64(byteCount) - 1)).index
    var freed = 0
    for cluster in (first...last).map(HostCluster.init) {
      if refcounts[cluster] == 1 {
        freed += 1
      } else {
        sharedParts[owner][cluster, default: 0] += 1
      }
    }
    return freed
  }

  private mutating func addUpReferences() throws(Qcow2Error) {
    var sums = [UInt64](repeating: 0, count: space.count)
    var sum: UInt64 = 0
    var current = 0
    try forEachChange { (position, old, new) throws(Qcow2Error) in
      while current < position {
        sums[current] = sum
        current += 1
      }
      sum = sum &+ (tables[new]?.referenced ?? 0) &- (tables[old]?.referenced ?? 0)
    }
    for position in current..<space.count { sums[position] = sum }
    for position in space.indices { space[position].referenced += sums[position] }
  }
}
