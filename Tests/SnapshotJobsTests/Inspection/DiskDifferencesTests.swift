import Jobs
import SnapshotJobs
import TestOracles
import Testing

@Suite struct DiskDifferencesTests {
  private let bench: Workbench
  private let nodes: [Node]
  private var machine: Machine { Machine(name: nil, nodes: nodes) }

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
  }

  @Test func `each disk has its own ranges, also while a program writes to it`() async throws {
    try await bench.succeed(.save("a", on: nodes), on: nodes)
    try QemuIO.write(0x31, at: 8192, length: 4096, in: nodes[0].path)
    try await bench.succeed(.save("b", on: nodes), on: nodes)
    try QemuIO.write(0x32, at: 0, length: 1, in: nodes[1].path)
    let holder = try QemuIO.hold(nodes[0].path)
    defer { holder.close() }
    #expect(try machine.differences(from: "a", to: "b").map(\.ranges) == [[8192..<12288], []])
    let current = try machine.differences(from: "a", to: nil)
    #expect(current.map(\.ranges) == [[8192..<12288], [0..<4096]])
    #expect(current.map(\.node) == nodes.map(\.name))
    #expect(
      try machine.differences(from: "b", to: nil, on: ["disk1"]).map(\.ranges) == [[0..<4096]])
  }

  @Test func `a tag that a node lacks is not found, and the others are shown`() throws {
    try QemuImg.createSnapshot("a", in: nodes[0].path)
    try QemuImg.createSnapshot("b", in: nodes[0].path)
    try QemuImg.createSnapshot("a", in: nodes[1].path)
    let error = #expect(throws: JobError.self) { try machine.differences(from: "a", to: "b") }
    #expect(
      error
        == JobError(
          .notFound,
          "Snapshot 'b' does not exist on disk1. To compare the others: --device disk0"))
    let nowhere = #expect(throws: JobError.self) { try machine.differences(from: "x", to: nil) }
    #expect(
      nowhere
        == JobError(
          .notFound,
          "Snapshot 'x' does not exist on disk0, disk1. See: `snapjob list --file "
            + "\(nodes[0].path) \(nodes[1].path)`"))
    let stored = Machine(name: "web01", nodes: nodes)
    let absent = #expect(throws: JobError.self) { try stored.differences(from: "x", to: nil) }
    #expect(absent?.message.hasSuffix("See: `snapjob -m web01 list`") == true)
    let unknown = #expect(throws: JobError.self) {
      try machine.differences(from: "a", to: nil, on: ["disk7"])
    }
    #expect(unknown?.kind == .notFound)
    #expect(unknown?.message.contains("disk7") == true)
  }

  @Test func `two snapshots of one name are a conflict`() throws {
    for _ in 0..<2 { try QemuImg.createSnapshot("twin", in: nodes[0].path) }
    let error = #expect(throws: JobError.self) {
      try machine.differences(from: "twin", to: nil, on: ["disk0"])
    }
    #expect(error?.kind == .conflict)
  }
}
