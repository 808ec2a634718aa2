/// A byte offset in the image file.
struct HostOffset: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Bytes from the start of the file.
  let bytes: UInt64

  init(_ bytes: UInt64) { self.bytes = bytes }

  static func < (left: HostOffset, right: HostOffset) -> Bool { left.bytes < right.bytes }

  var description: String { "0x" + String(bytes, radix: 16) }
}

/// A byte offset on the disk that the guest sees.
struct GuestOffset: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Bytes from the start of the disk.
  let bytes: UInt64

  init(_ bytes: UInt64) { self.bytes = bytes }

  static func < (left: GuestOffset, right: GuestOffset) -> Bool { left.bytes < right.bytes }

  var description: String { String(bytes) }
}

/// The number of a cluster in the image file; cluster 0 holds the header.
struct HostCluster: Hashable, Comparable, Sendable {
  /// Clusters from the start of the file.
  let index: Int

  init(_ index: Int) { self.index = index }

  static func < (left: HostCluster, right: HostCluster) -> Bool { left.index < right.index }
}

/// A contiguous run of clusters in the image file.
struct HostRun: Hashable, Sendable {
  /// The first cluster.
  let first: HostCluster
  /// How many clusters.
  let count: Int

  /// The first cluster behind the run.
  var end: Int { first.index + count }

  subscript(offset: Int) -> HostCluster { HostCluster(first.index + offset) }
}
