import Jobs
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

@Suite struct CancelTests {
  private let bench: Workbench
  private let nodes: [Node]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
    for node in nodes {
      try QemuImg.createSnapshot("old", in: node.path)
      try QemuIO.write(0x61, at: 8192, length: 200 << 10, in: node.path)
    }
  }

  private var requests: [SnapshotRequest] {
    [
      .save("new", on: nodes), .load("old", on: nodes), .delete("old", on: nodes),
      .save("old", on: nodes, replace: true), .load("old", on: nodes, saveCurrent: "kept"),
    ]
  }

  /// The bytes of an image behind its first sector.
  private func body(_ node: Node) throws -> [UInt8] {
    let file = try PosixFile(opening: node.path, .read)
    return try file.read(byteCount: Int(try file.length()) - 512, at: 512)
  }

  @Test func `a pending job that is cancelled leaves the images as they were`()
    async throws
  {
    let content = try digests(nodes)
    let old = try digests(nodes, snapshot: "old")
    for request in requests {
      let before = try nodes.map(body)
      let id = try bench.start(request, on: nodes, autoFinalize: false)
      let pending = try await bench.runner.wait(for: id, orPending: true)
      #expect(pending.status == .pending)
      // Everything is written, and nothing of it counts yet.
      #expect(try nodes.map(body) != before)
      #expect(try Machine(name: nil, nodes: nodes).snapshots().map(\.tag) == ["old"])
      let busy = try await bench.fail(.save("other", on: [nodes[0]]), on: nodes)
      #expect(busy.kind == .inUse)

      try await bench.runner.apply(.cancel, to: id)
      let record = try await bench.runner.wait(for: id)
      #expect(record.status == .concluded)
      #expect(record.error == .operationCanceled)
      #expect(try nodes.map(body) == before)
      try expectAgreement(nodes)
      #expect(try tags(nodes) == [["old"], ["old"]])
    }
    #expect(try digests(nodes) == content)
    #expect(try digests(nodes, snapshot: "old") == old)
    #expect(try bench.unsettledCommits().isEmpty)
    for node in nodes {
      let image = try Image.open(node.path, for: .peek)
      #expect(image.mark == nil)
    }
  }

  @Test func `a running job that is cancelled leaves the images as they were`()
    async throws
  {
    for request in requests {
      let before = try nodes.map(body)
      // Each operation on a file waits for the gate.
      let gate = Gate()
      let access = bench.access(GateKeeper(gate: gate))
      let id = try bench.start(request, on: nodes, access: access)
      gate.waitUntilReached()
      try await bench.runner.apply(.cancel, to: id)
      gate.open()
      let record = try await bench.runner.wait(for: id)
      #expect(record.status == .concluded)
      #expect(record.error == .operationCanceled)
      #expect(try nodes.map(body) == before)
      try expectAgreement(nodes)
      #expect(try tags(nodes) == [["old"], ["old"]])
    }
  }

  @Test func `a paused job rests, and goes on to a good end`() async throws {
    let gate = Gate()
    let access = bench.access(GateKeeper(gate: gate))
    let content = try digests(nodes)
    let id = try bench.start(.save("new", on: nodes), on: nodes, access: access)
    gate.waitUntilReached()
    try await bench.runner.apply(.pause, to: id)
    gate.open()
    while try bench.job(id)?.status != .paused {
      try await Task.sleep(for: .milliseconds(5))
    }
    try await bench.runner.apply(.resume, to: id)
    let record = try await bench.runner.wait(for: id)
    #expect(record.status == .concluded && record.error == nil)
    #expect(record.progress.current > 0)
    try expectAgreement(nodes)
    #expect(try digests(nodes, snapshot: "new") == content)
  }

  @Test func `a paused job that is cancelled is undone`() async throws {
    let gate = Gate()
    let access = bench.access(GateKeeper(gate: gate))
    let before = try nodes.map(body)
    let id = try bench.start(.save("new", on: nodes), on: nodes, access: access)
    gate.waitUntilReached()
    try await bench.runner.apply(.pause, to: id)
    gate.open()
    while try bench.job(id)?.status != .paused {
      try await Task.sleep(for: .milliseconds(5))
    }
    try await bench.runner.apply(.cancel, to: id)
    #expect(try await bench.runner.wait(for: id).error == .operationCanceled)
    #expect(try nodes.map(body) == before)
    try expectAgreement(nodes)
  }
}
