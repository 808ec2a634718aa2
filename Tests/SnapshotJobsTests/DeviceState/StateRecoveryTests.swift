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
  func `a load that is brought forward has its state`(published: [Int]) async throws {
    try bench.interrupt(.load("live", on: nodes), on: nodes, published: published)
    try settle()
    #expect(try bench.hasState(nodes))
    try await bench.succeed(.save("second", on: nodes), on: nodes)
    #expect(try nodes[0].state("second") == state.bytes)
  }

  @Test func `a save that is brought forward carries the state on`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try bench.interrupt(.save("second", on: nodes), on: nodes, published: [1])
    try settle()
    #expect(try nodes[0].state("second") == state.bytes)
    #expect(try bench.hasState(nodes))
    try await bench.succeed(.delete("live", on: nodes), on: nodes)
    #expect(try bench.hasState(nodes))
  }

  @Test func `a load that is taken back leaves the state of the one before`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try bench.interrupt(.load("old", on: nodes), on: nodes, hasRecord: false, fenced: [0, 1])
    try settle()
    #expect(try bench.hasState(nodes))
  }

  @Test func `a guest's write to one disk outdates the state for the whole set`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try bench.interrupt(.load("old", on: nodes), on: nodes, hasRecord: false, fenced: [0, 1])
    try nodes[2].writeAsGuest()
    try settle()
    #expect(try !bench.hasState(nodes))
    try QemuImg.applySnapshot("live", in: nodes[2].path)
    #expect(try bench.hasState(nodes))
  }

  @Test func `the delete of the keeper that is taken back leaves the state`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try bench.interrupt(.delete("live", on: nodes), on: nodes, hasRecord: false)
    try settle()
    #expect(try tags([nodes[0]]) == [["old", "live"]])
    #expect(try bench.hasState(nodes))
  }

  @Test func `a write through an overlay to a published disk outdates its state`() async throws {
    try bench.interrupt(.load("live", on: nodes), on: nodes, published: [0])
    try nodes[0].writeThroughOverlay()
    try settle()
    #expect(try !bench.hasState(nodes))
  }
}
