/// How an image divides its file and its disk: everything that follows from cluster size, refcount
/// width and the kind of L2 entries.
struct ClusterGeometry: Sendable, Hashable {
  /// log2 of the bytes in a cluster.
  let clusterBits: Int
  /// log2 of the bits in a refcount.
  let refcountOrder: Int
  /// Whether L2 entries are 16 bytes long and describe subclusters.
  let hasExtendedL2: Bool

  /// Bytes in a cluster.
  var clusterSize: Int { 1 << clusterBits }
  /// Parts of a cluster that an extended L2 entry describes one by one; 1 where there are none.
  var subclusterCount: Int { hasExtendedL2 ? 32 : 1 }
  /// Bytes in a subcluster; a cluster's where there are none.
  var subclusterSize: Int { clusterSize / subclusterCount }
  /// 64-bit words of one L2 entry.
  var l2EntryWords: Int { hasExtendedL2 ? 2 : 1 }
  /// Entries of one L2 table, which fills a cluster.
  var l2EntryCount: Int { clusterSize / (8 * l2EntryWords) }
  /// log2 of the disk's bytes that one L2 table covers.
  var l2CoverageBits: Int { clusterBits + clusterBits - 3 - (hasExtendedL2 ? 1 : 0) }
  /// Entries of one refcount block, which fills a cluster.
  var refcountBlockEntryCount: Int { (clusterSize * 8) >> refcountOrder }
  /// The largest refcount that the width can hold (and that is kept in memory).
  var refcountMaximum: UInt32 {
    refcountOrder >= 5 ? Limits.refcount : UInt32((UInt64(1) << (1 << refcountOrder)) - 1)
  }

  /// L1 entries that a disk of this size needs.
  func l1EntryCount(diskSize: UInt64) -> UInt64 {
    let covered = UInt64(1) << UInt64(l2CoverageBits)
    return diskSize / covered + (diskSize % covered == 0 ? 0 : 1)
  }

  /// Clusters that a number of bytes fills.
  func clusterCount(bytes: Int) -> Int { (bytes + clusterSize - 1) >> clusterBits }

  /// Clusters of which at least one byte lies below an offset.
  func clusterCount(fileLength: Int64) -> Int {
    Int((fileLength + Int64(clusterSize) - 1) >> Int64(clusterBits))
  }

  /// Where a cluster begins in the file.
  func offset(of cluster: HostCluster) -> HostOffset {
    HostOffset(UInt64(cluster.index) << UInt64(clusterBits))
  }

  /// The cluster that an offset lies in.
  func cluster(at offset: HostOffset) -> HostCluster {
    HostCluster(Int(offset.bytes >> UInt64(clusterBits)))
  }

  /// Whether an offset is the beginning of a cluster.
  func isAligned(_ offset: HostOffset) -> Bool {
    offset.bytes & UInt64(clusterSize - 1) == 0
  }
}
