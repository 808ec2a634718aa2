/// What a cluster of the file holds.
enum ClusterUse: UInt8, Sendable {
  case header = 1
  case refcountTable
  case refcountBlock
  case snapshotTable
  case activeL1Table
  case snapshotL1Table
  case l2Table
  case bitmapDirectory
  case bitmapTable
  case bitmapData
  case luksHeader
  /// One guest cluster, as it is or reserved for it.
  case guestCluster
  /// Data of one or more compressed guest clusters.
  case compressedData

  /// The name in sentences.
  var name: String {
    switch self {
    case .header: "the header"
    case .refcountTable: "the refcount table"
    case .refcountBlock: "a refcount block"
    case .snapshotTable: "the snapshot table"
    case .activeL1Table: "the active L1 table"
    case .snapshotL1Table: "a snapshot's L1 table"
    case .l2Table: "an L2 table"
    case .bitmapDirectory: "the bitmap directory"
    case .bitmapTable: "a bitmap's table"
    case .bitmapData: "a bitmap's data"
    case .luksHeader: "the LUKS header"
    case .guestCluster: "another guest cluster"
    case .compressedData: "compressed data of another guest cluster"
    }
  }
}

/// What each cluster of a file holds, as far as it is known.
///
/// Memory is taken only around clusters that are in use, so that a file with large holes costs little.
struct ClusterUses: Sendable {
  private static let pageBits = 14
  /// Raw values by page, 0 for none; an empty array is a page without uses.
  private var pages: [[UInt8]] = []
  /// Bytes of the file.
  private let fileLength: UInt64

  /// Starts with no uses.
  ///
  /// - Parameter image: whose file it is.
  /// - Throws: ``Qcow2Error`` (overLimit) if the file is too large.
  init(_ image: Image) throws(Qcow2Error) {
    fileLength = UInt64(image.fileLength)
    guard
      image.geometry.clusterCount(fileLength: image.fileLength) <= Limits.refcountMapClusterCount
    else { throw .overLimit("the file is too large to be verified") }
  }

  /// The use of a cluster; nil for none.
  subscript(cluster: HostCluster) -> ClusterUse? {
    let page = cluster.index >> Self.pageBits
    guard page < pages.count, !pages[page].isEmpty else { return nil }
    return ClusterUse(rawValue: pages[page][cluster.index & ((1 << Self.pageBits) - 1)])
  }

  /// Whether the cluster has a use.
  func contains(_ cluster: HostCluster) -> Bool {
    let page = cluster.index >> Self.pageBits
    guard page < pages.count, !pages[page].isEmpty else { return false }
    return pages[page][cluster.index & ((1 << Self.pageBits) - 1)] != 0
  }

  /// Calls a body for each cluster that has a use, ascending.
  func forEach(_ body: (HostCluster) throws(Qcow2Error) -> Void) throws(Qcow2Error) {
    for page in pages.indices {
      for index in pages[page].indices where pages[page][index] != 0 {
        try body(HostCluster(page << Self.pageBits + index))
      }
    }
  }

  /// Notes a use of a cluster; the first one stays.
  ///
  /// - Returns: the use that it has already.
  mutating func note(_ use: ClusterUse, of cluster: HostCluster) -> ClusterUse? {
    if let old = self[cluster] { return old }
    let page = cluster.index >> Self.pageBits
    while page >= pages.count { pages.append([]) }
    if pages[page].isEmpty { pages[page] = [UInt8](repeating: 0, count: 1 << Self.pageBits) }
    pages[page][cluster.index & ((1 << Self.pageBits) - 1)] = use.rawValue
    return nil
  }

  /// The clusters of a range of the file.
  ///
  /// - Parameters:
  ///   - offset: where the range begins.
  ///   - byteCount: at least 1.
  ///   - geometry: the image's.
  /// - Returns: their numbers; nil if the range goes a whole cluster or more beyond the end.
  func clusters(
    at offset: HostOffset, byteCount: UInt64, _ geometry: ClusterGeometry
  ) -> Range<Int>? {
    let (end, overflow) = offset.bytes.addingReportingOverflow(byteCount)
    // The last cluster of a file may be there in part, as for `qemu-img check`.
    guard !overflow, end < fileLength + UInt64(geometry.clusterSize) else { return nil }
    return Int(offset.bytes >> UInt64(geometry.clusterBits))..<Int(
      (end - 1) >> UInt64(geometry.clusterBits)) + 1
  }
}
