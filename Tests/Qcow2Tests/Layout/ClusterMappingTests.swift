import Testing

@testable import Qcow2

@Suite struct ClusterMappingTests {
  private let geometry = ClusterGeometry(clusterBits: 16, refcountOrder: 4, hasExtendedL2: false)
  private let extended = ClusterGeometry(clusterBits: 16, refcountOrder: 4, hasExtendedL2: true)

  @Test("Each kind of L2 entry is told from the others")
  func kinds() {
    #expect(ClusterMapping(0, geometry) == .unallocated)
    #expect(ClusterMapping(TableEntry.copied, geometry) == .unallocated)
    #expect(ClusterMapping(1, geometry) == .zero(nil))
    #expect(ClusterMapping(0x50001 | TableEntry.copied, geometry) == .zero(HostOffset(0x50000)))
    #expect(ClusterMapping(0x50000 | TableEntry.copied, geometry) == .data(HostOffset(0x50000)))
    #expect(ClusterMapping(0x50001, extended) == .data(HostOffset(0x50000)))
  }

  @Test("A compressed cluster's offset and length share the bits as the cluster size says")
  func compressed() {
    // 64 KiB: 54 bits of offset, 8 bits of further sectors.
    #expect(
      ClusterMapping(TableEntry.compressed | 3 << 54 | 0x12345, geometry)
        == .compressed(HostOffset(0x12345), byteCount: 4 * 512 - 0x145))
    let small = ClusterGeometry(clusterBits: 9, refcountOrder: 4, hasExtendedL2: false)
    #expect(
      ClusterMapping(TableEntry.compressed | 1 << 61 | 0x200, small)
        == .compressed(HostOffset(0x200), byteCount: 1024))
    let large = ClusterGeometry(clusterBits: 21, refcountOrder: 4, hasExtendedL2: false)
    #expect(
      ClusterMapping(~UInt64(0), large)
        == .compressed(HostOffset((1 << 49) - 1), byteCount: 8192 * 512 - 511))
  }
}
