@testable import Qcow2

/// Where the metadata of a sound image lie, for tests that damage them.
struct MetadataMap {
  /// The header's fields that point to tables, and the feature bits that qemu knows.
  let header: [Range<UInt64>] = [36..<72, 73..<80]
  /// The active L1 table.
  let activeL1: Range<UInt64>
  /// The snapshots' L1 tables.
  let snapshotL1s: [Range<UInt64>]
  /// The snapshot table.
  let snapshotTable: Range<UInt64>
  /// The entries of the refcount table that lead to blocks.
  let refcountTable: Range<UInt64>
  /// The L2 tables of the active state, in the order of the L1 table.
  let activeL2s: [Range<UInt64>]
  /// The refcount blocks.
  let refcountBlocks: [Range<UInt64>]
  let geometry: ClusterGeometry

  init(_ image: Image) throws {
    let header = image.header
    let geometry = image.geometry
    self.geometry = geometry
    let cluster = { (offset: UInt64) in offset..<offset + UInt64(geometry.clusterSize) }
    let table = { (offset: HostOffset, byteCount: Int) in
      offset.bytes..<offset.bytes + UInt64(byteCount)
    }
    activeL1 = table(header.l1TableOffset, Int(header.l1Size) * 8)
    snapshotL1s = image.table.entries.map { table($0.l1TableOffset, Int($0.l1Size) * 8) }
    snapshotTable = table(header.snapshotsOffset, image.table.byteCount)
    activeL2s = try image.readActiveL1().map { $0 & TableEntry.offsetMask }
      .filter { $0 != 0 }.map(cluster)
    let blocks = try image.file.readWords(
      count: geometry.clusterSize / 8, at: header.refcountTableOffset
    ).filter { $0 != 0 }
    refcountBlocks = blocks.map(cluster)
    refcountTable = table(header.refcountTableOffset, blocks.count * 8)
  }

  /// All of them.
  var all: [Range<UInt64>] {
    (header + [activeL1, snapshotTable, refcountTable] + snapshotL1s + activeL2s + refcountBlocks)
      .filter { !$0.isEmpty }
  }

  /// Where the 16-bit refcount of a cluster is.
  func refcount(of cluster: Int) -> UInt64 {
    let perBlock = geometry.refcountBlockEntryCount
    return refcountBlocks[cluster / perBlock].lowerBound + UInt64(cluster % perBlock * 2)
  }
}
