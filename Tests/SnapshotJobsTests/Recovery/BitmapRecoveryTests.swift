import JobCatalog
import Jobs
import Qcow2
import TestOracles
import Testing

@testable import SnapshotJobs

/// An interrupted commit of snapshots and the bitmaps that are cleared with them.
@Suite struct BitmapRecoveryTests {
  private let bench: Workbench
  private let nodes: [Node]
  private let request: SnapshotRequest

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeThreeDisks()
    for node in nodes {
      try QemuBitmaps.add("daily", to: node.path, granularity: 65536)
      try QemuIO.write(0x77, at: 512 << 10, length: 4096, in: node.path)
    }
    var request = SnapshotRequest.save("point", on: nodes)
    request.laterBitmapActions = nodes.map {
      .clear(node: $0.name.description, name: "daily")
    }
    self.request = request
  }

  private func dirtyByteCounts() throws -> [UInt64] {
    try nodes.map { node in
      try Image.open(node.path, for: .read).bitmapContent(named: "daily").dirtyByteCount
    }
  }

  @Test func `it is brought to its end, with a fence as long as it is not`() throws {
    let id = try bench.interrupt(request, on: nodes, published: [0])
    #expect(try QemuImg.check(nodes[1].path).text.contains(fenceWords))
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try dirtyByteCounts() == [0, 0, 0])
    #expect(try tags(nodes) == nodes.map { _ in ["old", "point"] })
    try expectAgreement(nodes)
  }

  @Test func `without a record every disk has its bitmap as it was`() throws {
    let id = try bench.interrupt(request, on: nodes, hasRecord: false)
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try bench.conclusion(of: id).error != nil)
    #expect(try dirtyByteCounts() == [65536, 65536, 65536])
    #expect(try tags(nodes) == nodes.map { _ in ["old"] })
    try expectAgreement(nodes)
  }

  @Test func `what a guest has written to a published disk since is marked there`() throws {
    let id = try bench.interrupt(request, on: nodes, published: [0])
    try nodes[0].writeAsGuest()
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try dirtyByteCounts() == [65536, 0, 0])
    #expect(try tags(nodes) == nodes.map { _ in ["old", "point"] })
    try expectAgreement(nodes)
  }

  @Test func `a bitmap on a node that the job does not have is refused`() async throws {
    var request = SnapshotRequest.save("point", on: [nodes[0]])
    request.laterBitmapActions = [.clear(node: "disk1", name: "daily")]
    let before = try fileDigests(nodes)
    let error = try await bench.fail(request, on: nodes)
    #expect(error.kind == .usage)
    #expect(error.message.contains("'disk1', which is no device of the job"))
    #expect(try fileDigests(nodes) == before)
  }

  @Test func `a merge takes bitmaps of other disks, also of those that the job leaves alone`()
    async throws
  {
    var request = SnapshotRequest.save("point", on: [nodes[0]])
    request.laterBitmapActions = [
      .merge(
        node: "disk0", target: "daily",
        sources: [BitmapReference(node: "disk1", name: "daily"), BitmapReference(name: "daily")])
    ]
    try QemuIO.write(0x78, at: 0, length: 4096, in: nodes[1].path)
    try await bench.succeed(request, on: nodes)
    #expect(try dirtyByteCounts() == [131_072, 131_072, 65536])
    #expect(try tags(nodes) == [["old", "point"], ["old"], ["old"]])
    try expectAgreement(nodes)
  }
}
