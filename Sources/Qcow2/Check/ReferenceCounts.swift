/// How often each cluster of a file is referred to, counted anew.
///
/// Memory is taken only around clusters that are in use, so that a file with large holes costs little.
struct ReferenceCounts {
  /// log2 of the counts in one page.
  static let pageBits = 14
  /// Counts in one page.
  static let pageCount = 1 << pageBits

  /// The counts by page; an empty array is a page without references.
  private var pages: [[UInt32]] = []
  /// The largest count that the image's refcounts can hold.
  private let maximum: UInt32

  /// Starts with no references.
  init(order: Int) {
    maximum = order >= 5 ? UInt32.max : UInt32((UInt64(1) << (UInt64(1) << UInt64(order))) - 1)
  }

  /// The count of a cluster.
  subscript(cluster: HostCluster) -> UInt32 {
    let page = cluster.index >> Self.pageBits
    guard page < pages.count, !pages[page].isEmpty else { return 0 }
    return pages[page][cluster.index & (Self.pageCount - 1)]
  }

  /// Whether one of these clusters may have a count: false is certain.
  func hasAny(in clusters: Range<Int>) -> Bool {
    guard let last = clusters.last else { return false }
    return (clusters.lowerBound >> Self.pageBits...last >> Self.pageBits).contains {
      !page($0).isEmpty
    }
  }

  /// The counts of a page; empty if there are none.
  func page(_ index: Int) -> [UInt32] { index < pages.count ? pages[index] : [] }

  /// Adds references to a cluster.
  ///
  /// - Returns: how many of them the width cannot hold.
  mutating func add(_ times: UInt32, to cluster: HostCluster) -> Int {
    let page = cluster.index >> Self.pageBits
    let index = cluster.index & (Self.pageCount - 1)
    while page >= pages.count { pages.append([]) }
    if pages[page].isEmpty { pages[page] = [UInt32](repeating: 0, count: Self.pageCount) }
    let room = maximum - pages[page][index]
    let added = min(room, times)
    pages[page][index] += added
    return Int(times - added)
  }
}
