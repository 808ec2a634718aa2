import Jobs
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

/// What becomes of the device state when recovery decides about a commit, rule by rule.
@Suite struct StateRecoveryTests {
  private let bench: Workbench
  private let nodes: [Node]
  private let state = StateBytes(count: 100_000)

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeThreeDisks()
    try nodes[0].saveAsMachine("live", state)
    for node in nodes[1...] { try QemuImg.createSnapshot("live", in: node.path) }
  }

  private func settle() throws {
    for finding in try bench.recovery.run() { #expect(finding.isResolved, "\(finding)") }
    try expectAgreement(nodes)
  }

  @Test(arguments: [[], [0], [0, 1, 2]])
  func `rule 3: a load that is brought forward has its state`(published: [Int]) async throws {
    _ = try bench.interrupt(
      .load("live", on: nodes), on: nodes, published: published,
      fenced: [0, 1, 2].filter { !published.contains($0) })
    try settle()
    #expect(try bench.hasState(nodes))
    try await bench.succeed(.save("second", on: nodes), on: nodes)
    #expect(try nodes[0].state("second") == state.bytes)
  }

  @Test func `rule 3: a save that is brought forward carries the state on`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    _ = try bench.interrupt(.save("second", on: nodes), on: nodes, published: [1])
    try settle()
    #expect(try nodes[0].state("second") == state.bytes)
    #expect(try bench.hasState(nodes))
    try await bench.succeed(.delete("live", on: nodes), on: nodes)
    #expect(try bench.hasState(nodes))
  }

  @Test func `rule 4: a load that is taken back has no state, and the one before is there again`()
    async throws
  {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    _ = try bench.interrupt(.load("old", on: nodes), on: nodes, fenced: [0, 1])
    try nodes[2].writeAsGuest()
    try settle()
    // The guest's write on one disk outdates it for the whole set; the others are as they were.
    #expect(try !bench.hasState(nodes))
    try QemuImg.applySnapshot("live", in: nodes[2].path)
    #expect(try bench.hasState(nodes))
  }

  @Test func `rule 4: the delete of the keeper that is taken back leaves the state`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    _ = try bench.interrupt(
      .delete("live", on: nodes), on: nodes, published: [0])
    try nodes[2].writeAsGuest()
    try settle()
    #expect(try tags([nodes[0]]) == [["old", "live"]])
    #expect(try !bench.hasState(nodes))
    try QemuImg.applySnapshot("live", in: nodes[2].path)
    #expect(try bench.hasState(nodes))
  }

  @Test func `rule 5: where others have completed a save nothing is taken for granted`()
    async throws
  {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    _ = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0, 1])
    try nodes[0].writeAsGuest()
    try QemuImg.createSnapshot("new", in: nodes[2].path)
    try settle()
    #expect(try !bench.hasState(nodes))
    #expect(try nodes[0].state("new") == state.bytes)
  }

  @Test func `rule 6: a save that is taken back leaves no snapshot and no false state`()
    async throws
  {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    _ = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0, 1])
    try nodes[0].writeAsGuest()
    try nodes[2].writeAsGuest()
    try settle()
    #expect(try !bench.hasState(nodes))
    #expect(try nodes[0].state("live") == state.bytes)
    try await bench.succeed(.save("after", on: nodes), on: nodes)
    #expect(try nodes[0].state("after") == nil)
  }

  @Test func `rule 7: a load that is completed by force is not trusted`() async throws {
    let id = try bench.interrupt(.load("live", on: nodes), on: nodes, published: [0])
    for node in nodes { try node.writeAsGuest() }
    #expect(try bench.recovery.run().contains { !$0.isResolved })
    let finding = try #require(try bench.recovery.run(job: id, force: .forward).first)
    #expect(finding.isResolved)
    try expectAgreement(nodes)
    #expect(try !bench.hasState(nodes))
  }
}
