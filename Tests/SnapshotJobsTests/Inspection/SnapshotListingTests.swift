import Jobs
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

@Suite struct SnapshotListingTests {
  private let bench: Workbench
  private let nodes: [Node]
  private var machine: Machine { Machine(name: nil, nodes: nodes) }

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
  }

  @Test func `a tag that a disk lacks, or has twice, is not complete`() async throws {
    try await bench.succeed(.save("whole", on: nodes), on: nodes)
    try QemuImg.createSnapshot("half", in: nodes[0].path)
    for _ in 0..<2 { try QemuImg.createSnapshot("twin", in: nodes[1].path) }
    try QemuImg.createSnapshot("twin", in: nodes[0].path)
    let list = try machine.snapshots()
    let byTag = Dictionary(uniqueKeysWithValues: list.map { ($0.tag, $0) })
    #expect(byTag.mapValues(\.isComplete) == ["whole": true, "half": false, "twin": false])
    #expect(byTag["half"]?.missingNodes == [nodes[1].name])
    #expect(byTag["twin"]?.missingNodes == [])
    #expect(byTag["twin"]?.devices.count == 3)
  }

  @Test func `snapshots of one second are in the order in which they were taken`() throws {
    // qemu-img keeps microseconds; names are in the other order than times.
    for tag in ["c", "b", "a", "10", "9"] { try QemuImg.createSnapshot(tag, in: nodes[0].path) }
    #expect(try machine.snapshots(on: ["disk0"]).map(\.tag) == ["c", "b", "a", "10", "9"])
  }

  @Test func `the room of a tag is that of all disks together, and only if asked for`()
    async throws
  {
    try await bench.succeed(.save("a", on: nodes), on: nodes)
    for node in nodes { try QemuIO.write(0x55, at: 0, length: 8192, in: node.path) }
    let tag = try #require(machine.snapshots(withSpace: true).first)
    let each = try tag.devices.map { try #require($0.space) }
    #expect(tag.space?.used == each[0].used + each[1].used)
    #expect(tag.space?.referenced == each[0].referenced + each[1].referenced)
    // Two data clusters, the L2 table that leads to them, and the L1 table.
    #expect(each.map(\.used) == [4 * 4096, 4 * 4096])
    #expect(try machine.snapshots().first?.space == nil)
  }

  @Test func `a plan says what a delete frees`() async throws {
    try await bench.succeed(.save("a", on: nodes), on: nodes)
    for node in nodes { try QemuIO.write(0x55, at: 0, length: 8192, in: node.path) }
    let used = try machine.snapshots(withSpace: true).flatMap(\.devices).map { $0.space?.used ?? 0 }
    let plan = try SnapshotRequest.delete("a", on: nodes)
      .plan(on: machine, access: ImageAccess(log: bench.catalog))
    #expect(plan.map { UInt64($0.bytesToFree) } == used)
    let replaced = try SnapshotRequest.save("a", on: nodes, replace: true)
      .plan(on: machine, access: ImageAccess(log: bench.catalog))
    #expect(replaced.allSatisfy { $0.bytesToFree > 0 })
    let saved = try SnapshotRequest.save("b", on: nodes)
      .plan(on: machine, access: ImageAccess(log: bench.catalog))
    #expect(saved.map(\.bytesToFree) == [0, 0])
  }
}
