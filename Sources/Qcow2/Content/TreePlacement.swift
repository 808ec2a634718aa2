/// Looks whether a state uses a cluster twice: no two parts of one disk may lie on one host cluster, but for
/// compressed data.
///
/// From state to state only what differs is gone through. Entries that are not valid, or lie outside the file or
/// on a structure, are passed over; ``ContentScan`` reports them.
struct TreePlacement {
  private let image: Image
  private let structures: ClusterUses
  /// By page what the state's clusters are used for: 0 for nothing, else how many compressed clusters have data
  /// there, or ``whole``. An empty array is a page without uses.
  private var pages: [[UInt32]] = []
  /// The L2 tables of the state.
  private var l1: [UInt64] = []
  /// The entry of the L1 table that leads to an L2 table.
  private var owners: [UInt64: Int] = [:]

  private static let pageBits = 14
  private static let whole = UInt32.max

  private var geometry: ClusterGeometry { image.geometry }

  /// Starts with a state that has nothing.
  init(_ image: Image, structures: ClusterUses) {
    self.image = image
    self.structures = structures
  }

  /// Goes on to a state.
  ///
  /// - Parameters:
  ///   - new: its L2 tables, without flags; 0 for none.
  ///   - words: reads a table; nil if that cannot be done. What it throws ends the work.
  /// - Returns: what is used twice.
  /// - Throws: what `words` throws; the placement is of no use then.
  mutating func move(
    to new: [UInt64], _ words: (UInt64) throws -> [UInt64]?
  ) throws -> ContentProblems {
    var problems = ContentProblems()
    let indices = 0..<max(l1.count, new.count)
    let table = { (l1: [UInt64], index: Int) in index < l1.count ? l1[index] : 0 }
    for index in indices where table(l1, index) != table(new, index) {
      try remove(table(l1, index), of: index, words)
    }
    for index in indices where table(l1, index) != table(new, index) {
      guard problems.count < ContentProblems.maximumCount else { break }
      try add(table(new, index), to: index, words, &problems)
    }
    // What is used twice can't be given up once: the next state starts anew.
    l1 = problems.count == 0 ? new : []
    if problems.count > 0 { (pages, owners) = ([], [:]) }
    return problems
  }

  private mutating func remove(
    _ table: UInt64, of index: Int, _ words: (UInt64) throws -> [UInt64]?
  ) throws {
    guard table != 0, owners[table] == index else { return }
    owners[table] = nil
    for (_, place) in places(try words(table)) {
      for cluster in clusters(of: place) { release(cluster) }
    }
  }

  private mutating func add(
    _ table: UInt64, to index: Int, _ words: (UInt64) throws -> [UInt64]?,
    _ problems: inout ContentProblems
  ) throws {
    guard table != 0 else { return }
    let start = UInt64(index) << UInt64(geometry.l2CoverageBits)
    guard owners[table] == nil else {
      problems.note(
        "its L2 table at host offset \(HostOffset(table)) is that of another part of the disk",
        start..<start + UInt64(1) << UInt64(geometry.l2CoverageBits))
      return
    }
    owners[table] = index
    for (entry, place) in places(try words(table)) {
      for cluster in clusters(of: place) {
        guard let other = use(cluster, for: place.use) else { continue }
        let first = start + UInt64(entry) << UInt64(geometry.clusterBits)
        problems.note(
          "its \(place.noun) lies on \(other.name) at host offset \(geometry.offset(of: cluster))",
          first..<first + UInt64(geometry.clusterSize))
        break
      }
    }
  }

  /// Where the clusters of a table lie that can be there.
  private func places(_ words: [UInt64]?) -> [(entry: Int, place: L2EntryPlace)] {
    guard let words else { return [] }
    return (0..<geometry.l2EntryCount).compactMap { index in
      guard words[index * geometry.l2EntryWords] != 0,
        let entry = try? L2Entry(index, of: words[...], image.header),
        let place = L2EntryPlace(entry, geometry)
      else { return nil }
      let (end, overflow) = place.offset.bytes.addingReportingOverflow(UInt64(place.byteCount))
      guard !overflow, end < UInt64(image.fileLength) + UInt64(geometry.clusterSize),
        !clusters(of: place).contains(where: structures.contains)
      else { return nil }
      return (index, place)
    }
  }

  private func clusters(of place: L2EntryPlace) -> some Collection<HostCluster> {
    let last = HostOffset(place.offset.bytes + UInt64(place.byteCount) - 1)
    return (geometry.cluster(at: place.offset).index...geometry.cluster(at: last).index)
      .lazy.map(HostCluster.init)
  }

  /// Notes a use of a cluster.
  ///
  /// - Returns: the use that excludes it; nil if there is none.
  private mutating func use(_ cluster: HostCluster, for use: ClusterUse) -> ClusterUse? {
    let page = cluster.index >> Self.pageBits
    let index = cluster.index & ((1 << Self.pageBits) - 1)
    while page >= pages.count { pages.append([]) }
    if pages[page].isEmpty { pages[page] = [UInt32](repeating: 0, count: 1 << Self.pageBits) }
    let old = pages[page][index]
    switch (old, use) {
    case (0, .compressedData): pages[page][index] = 1
    case (0, _): pages[page][index] = Self.whole
    case (Self.whole, _): return .guestCluster
    case (_, .compressedData): pages[page][index] = min(old + 1, Self.whole - 1)
    default: return .compressedData
    }
    return nil
  }

  private mutating func release(_ cluster: HostCluster) {
    let page = cluster.index >> Self.pageBits
    let index = cluster.index & ((1 << Self.pageBits) - 1)
    guard page < pages.count, !pages[page].isEmpty, pages[page][index] > 0 else { return }
    pages[page][index] = pages[page][index] == Self.whole ? 0 : pages[page][index] - 1
  }
}
