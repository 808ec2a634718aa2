import Testing

@testable import Qcow2

@Suite struct ClusterGeometryTests {
  @Test("Divisions follow from cluster size, refcount width and kind of L2 entries")
  func divisions() {
    let small = ClusterGeometry(clusterBits: 9, refcountOrder: 4, hasExtendedL2: false)
    #expect(small.l2EntryCount == 64)
    #expect(small.refcountBlockEntryCount == 256)
    #expect(small.l1EntryCount(diskSize: 32768) == 1)
    #expect(small.l1EntryCount(diskSize: 32769) == 2)
    #expect(small.l1EntryCount(diskSize: 0) == 0)
    let large = ClusterGeometry(clusterBits: 21, refcountOrder: 0, hasExtendedL2: false)
    #expect(large.refcountBlockEntryCount == 1 << 24)
    #expect(large.l1EntryCount(diskSize: .max) == 1 << 25)
    let extended = ClusterGeometry(clusterBits: 16, refcountOrder: 6, hasExtendedL2: true)
    #expect(extended.l2EntryCount == 4096)
    #expect(extended.refcountBlockEntryCount == 8192)
    #expect(extended.l1EntryCount(diskSize: 256 << 20) == 1)
  }

  @Test("The largest refcount is that of the width, as far as it is kept in memory")
  func refcountMaximum() {
    let maxima = (0...6).map {
      ClusterGeometry(clusterBits: 16, refcountOrder: $0, hasExtendedL2: false).refcountMaximum
    }
    #expect(maxima == [1, 3, 15, 255, 65535, Limits.refcount, Limits.refcount])
  }

  @Test("Clusters, offsets and lengths are converted exactly")
  func conversion() {
    let geometry = ClusterGeometry(clusterBits: 12, refcountOrder: 4, hasExtendedL2: false)
    #expect(geometry.clusterCount(bytes: 4096) == 1)
    #expect(geometry.clusterCount(bytes: 4097) == 2)
    #expect(geometry.clusterCount(fileLength: 0) == 0)
    #expect(geometry.clusterCount(fileLength: 1) == 1)
    #expect(geometry.offset(of: HostCluster(3)) == HostOffset(12288))
    #expect(geometry.cluster(at: HostOffset(16383)) == HostCluster(3))
    #expect(geometry.isAligned(HostOffset(8192)))
    #expect(!geometry.isAligned(HostOffset(8704)))
  }
}
