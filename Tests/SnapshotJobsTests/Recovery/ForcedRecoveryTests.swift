import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

/// Rule 7: a load that guests have written over waits for the user's decision.
@Suite struct ForcedRecoveryTests {
  private let bench: Workbench
  private let nodes: [Node]
  private let old: [String]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeThreeDisks()
    old = try digests(nodes, snapshot: "old")
  }

  /// disk0 is loaded and was written to since, disk1 is old and was written to since, disk2 is old
  /// and fenced.
  private func getStuck() throws -> JobID {
    let id = try bench.interrupt(.load("old", on: nodes), on: nodes, published: [0], fenced: [2])
    try nodes[0].writeAsGuest()
    try nodes[1].writeAsGuest()
    return id
  }

  @Test func `rule 7: nothing is written, and each disk's state is told`() async throws {
    let id = try getStuck()
    let before = try fileDigests(nodes)
    for _ in 0..<2 {
      let finding = try #require(try bench.recovery.run().first)
      #expect(!finding.isResolved)
      #expect(finding.obstacle?.kind == .conflict)
      #expect(
        finding.images == [
          "disk0: \(nodes[0].path): new state (and perhaps written to since)",
          "disk1: \(nodes[1].path): old state, written to since by another program",
          "disk2: \(nodes[2].path): old state, fenced",
        ])
      #expect(finding.outcome.contains("snapjob recover interrupted --forward"))
      #expect(try bench.job(id)?.status == .pending)
    }
    for node in nodes[0...1] {
      #expect(try await bench.fail(.save("x", on: [node]), on: [node]).kind == .conflict)
    }
    #expect(try fileDigests(nodes) == before)
    #expect(try QemuImg.check(nodes[2].path).text.contains(fenceWords))
  }

  @Test func `going forward completes the load where it is missing`() throws {
    let id = try getStuck()
    let loaded = try digests([nodes[0]])
    let finding = try #require(try bench.recovery.run(job: id, force: .forward).first)
    #expect(finding.isResolved, "\(finding)")
    #expect(finding.outcome == "The job was completed by force on every disk.")
    #expect(try bench.conclusion(of: id).error == nil)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == loaded + old[1...2])
    #expect(try bench.recovery.run().isEmpty)
  }

  @Test func `abandoning keeps what guests have written and removes the fence`() throws {
    let before = try digests([nodes[2]])
    let id = try getStuck()
    let written = try digests(Array(nodes[0...1]))
    let finding = try #require(try bench.recovery.run(job: id, force: .abandon).first)
    #expect(finding.isResolved)
    #expect(finding.outcome.contains("but disk0 (new state)"))
    #expect(try bench.conclusion(of: id).error?.message == finding.outcome)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == written + before)
    #expect(try bench.recovery.run().isEmpty)
  }

  @Test func `there is nothing to force where everything is settled`() throws {
    for force in Recovery.Force.allCases {
      let error = #expect(throws: JobError.self) { try bench.recovery.run(force: force) }
      #expect(error?.kind == .notFound)
    }
  }

  @Test func `going forward survives a power failure at any point`() throws {
    let id = try getStuck()
    let loaded = try digests([nodes[0]])
    let count = try bench.losePower(inRecoveryOf: id, on: nodes, force: .forward) {
      (comment: Comment) throws -> Void in
      #expect(try bench.conclusion(of: id).error == nil, comment)
      #expect(try digests(nodes) == loaded + old[1...2], comment)
    }
    #expect(count > 8)
  }

  @Test func `the commit of a command without a job is abandoned by naming one of its files`()
    async throws
  {
    try bench.interrupt(command: .load("old", on: nodes), on: nodes, published: [0], fenced: [2])
    try nodes[0].writeAsGuest()
    try nodes[1].writeAsGuest()
    let finding = try #require(try bench.recovery.run().first)
    #expect(!finding.isResolved)
    #expect(finding.outcome.contains("snapjob recover --abandon --file \(nodes[0].path)"))
    #expect(try bench.recovery.abandon(path: nodes[2].path).isResolved)
    #expect(try bench.recovery.run().isEmpty)
    #expect(try !QemuImg.check(nodes[2].path).text.contains(fenceWords))
    try await bench.succeed(.save("x", on: nodes), on: nodes)
    try expectAgreement(nodes)
  }
}
