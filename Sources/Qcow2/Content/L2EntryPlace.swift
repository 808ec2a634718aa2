/// Where an L2 entry's bytes lie in the file.
struct L2EntryPlace: Sendable, Hashable {
  /// The first byte.
  let offset: HostOffset
  /// Bytes from there on: a cluster, or what compressed data may take.
  let byteCount: Int
  /// ``ClusterUse/guestCluster`` or ``ClusterUse/compressedData``.
  let use: ClusterUse

  /// The place of an entry; nil for one without a cluster.
  init?(_ entry: L2Entry, _ geometry: ClusterGeometry) {
    switch ClusterMapping(entry.word, geometry) {
    case .unallocated, .zero(nil): return nil
    case .zero(let place?), .data(let place):
      (offset, byteCount, use) = (place, geometry.clusterSize, .guestCluster)
    case .compressed(let place, let count):
      (offset, byteCount, use) = (place, count, .compressedData)
    }
  }

  /// What the bytes are called in sentences.
  var noun: String { use == .compressedData ? "compressed data" : "cluster" }
}
