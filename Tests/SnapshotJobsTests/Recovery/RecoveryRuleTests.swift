import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

/// Each rule of recovery, on disks that an interrupted commit has left behind.
@Suite struct RecoveryRuleTests {
  private let bench: Workbench
  private let nodes: [Node]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeThreeDisks()
  }

  /// Recovers and expects that everything is settled for good.
  private func settle() throws -> [Recovery.Finding] {
    let before = try fileDigests(nodes)
    let forecast = try bench.recovery.run(dryRun: true)
    #expect(try fileDigests(nodes) == before)
    let findings = try bench.recovery.run()
    #expect(forecast.map(\.isResolved) == findings.map(\.isResolved))
    for finding in findings { #expect(finding.isResolved, "\(finding)") }
    #expect(try bench.recovery.run().isEmpty)
    #expect(try bench.openRecords().isEmpty)
    try expectAgreement(nodes)
    return findings
  }

  /// A changing command on one disk, by whoever; it must be refused.
  private func refusal(on node: Node) async throws -> JobError {
    try await bench.fail(.save("meanwhile", on: [node]), on: [node])
  }

  @Test func `rule 1: without a record there is nothing to do but to conclude the job`()
    async throws
  {
    let before = try digests(nodes)
    let storage = FaultyStorage(.powerLoss(at: 5, survivors: .all))
    _ = try bench.start(.save("new", on: nodes), on: nodes, access: bench.access(storage))
    while !storage.isOff { try await Task.sleep(for: .milliseconds(5)) }
    try bench.restart()
    let findings = try bench.recovery.run()
    #expect(findings.allSatisfy { $0.isResolved })
    #expect(try bench.openRecords().isEmpty)
    #expect(try digests(nodes) == before)
    try expectAgreement(nodes)
  }

  @Test(arguments: [[], [1]])
  func `what was committed into a disk from an overlay is never lost, marker or not`(
    published: [Int]
  ) throws {
    _ = try bench.interrupt(.save("new", on: nodes), on: nodes, published: published)
    try nodes[0].writeThroughOverlay()
    let content = try QemuImg.contentDigest(nodes[0].path)
    _ = try settle()
    #expect(try QemuImg.contentDigest(nodes[0].path) == content)
    #expect(try tags(nodes) == [["old"], ["old"], ["old"]])
  }

  @Test func `rule 2: while a disk is held nothing is written and commands are refused`()
    async throws
  {
    let content = try digests(nodes)
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    let held = try QemuIO.hold(nodes[1].path, flags: ["-r"])
    let before = try fileDigests(nodes)
    for _ in 0..<2 {
      let finding = try #require(try bench.recovery.run().first)
      #expect(!finding.isResolved && finding.jobs == [id])
      #expect(finding.obstacle?.kind == .inUse)
      #expect(finding.outcome.contains("is in use by"))
      #expect(finding.outcome.contains("recover interrupted --abandon"))
      #expect(try bench.job(id)?.status == .pending)
    }
    for node in nodes { #expect(try await refusal(on: node).kind == .inUse) }
    #expect(try fileDigests(nodes) == before)
    held.close()

    _ = try settle()
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try digests(nodes, snapshot: "new") == content)
  }

  @Test func `rule 2: a missing disk is waited for, and it goes on when it is back`()
    async throws
  {
    let id = try bench.interrupt(
      .load("old", on: nodes), on: nodes, published: [0], fenced: [1, 2])
    let expected = try digests([nodes[0]])
    let away = bench.directory.path("away")
    try Command.run("mv", [nodes[1].path, away])
    let finding = try #require(try bench.recovery.run().first)
    #expect(finding.obstacle?.kind == .inUse)
    #expect(try await refusal(on: nodes[0]).kind == .inUse)
    #expect(try bench.job(id)?.status == .pending)
    try Command.run("mv", [away, nodes[1].path])

    _ = try settle()
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try digests([nodes[0]]) == expected)
    #expect(try digests(nodes) == digests(nodes, snapshot: "old"))
  }

  @Test func `rule 2: a disk that never returns is given up by the user`() async throws {
    let before = try digests(nodes)
    let id = try bench.interrupt(
      .load("old", on: nodes), on: nodes, published: [0], fenced: [1, 2])
    try Command.run("mv", [nodes[1].path, bench.directory.path("away")])
    let finding = try #require(try bench.recovery.run(job: id, force: .abandon).first)
    #expect(finding.isResolved)
    #expect(finding.outcome.contains("left alone: disk1: out of reach"))
    let record = try bench.conclusion(of: id)
    #expect(record.error?.message == finding.outcome)
    let others = [nodes[0], nodes[2]]
    try expectAgreement(others)
    #expect(try digests(others) == [before[0], before[2]])

    // The one that returns after all is fenced, and says so.
    try Command.run("mv", [bench.directory.path("away"), nodes[1].path])
    #expect(try await refusal(on: nodes[1]).kind == .conflict)
    #expect(try bench.recovery.abandon(path: nodes[1].path).isResolved)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == before)
  }

  @Test(arguments: [[], [0], [0, 1], [0, 1, 2]])
  func `rule 3: disks that nobody has touched are brought forward`(published: [Int]) throws {
    let old = try digests(nodes, snapshot: "old")
    let id = try bench.interrupt(
      .load("old", on: nodes), on: nodes, published: published,
      fenced: [0, 1, 2].filter { !published.contains($0) })
    for (index, node) in nodes.enumerated() where !published.contains(index) {
      #expect(try QemuImg.check(node.path).text.contains(fenceWords))
    }
    let finding = try #require(try settle().first)
    #expect(finding.outcome == "The commit was brought to its end on every disk.")
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try digests(nodes) == old)
  }

  @Test func `rule 4: published disks go back where a guest has written to an old one`() throws {
    let before = try digests(nodes)
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0, 1])
    try nodes[2].writeAsGuest()
    let written = try digests([nodes[2]])
    _ = try settle()
    let error = try #require(try bench.conclusion(of: id).error)
    #expect(error.message.contains("every disk is without the job"))
    #expect(try tags(nodes) == [["old"], ["old"], ["old"]])
    #expect(try digests(nodes) == before[0...1] + written)
  }

  @Test func `rule 4: the fence falls where a guest has written before it stood everywhere`()
    throws
  {
    let before = try digests(nodes)
    let id = try bench.interrupt(.load("old", on: nodes), on: nodes, fenced: [0, 1])
    try nodes[2].writeAsGuest()
    let written = try digests([nodes[2]])
    _ = try settle()
    #expect(try bench.conclusion(of: id).error != nil)
    #expect(try digests(nodes) == before[0...1] + written)
  }

  @Test func `rule 5: a job that others have completed is done`() throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0, 1])
    try nodes[0].writeAsGuest()
    try QemuImg.createSnapshot("new", in: nodes[2].path)
    let finding = try #require(try settle().first)
    #expect(finding.outcome == "The job was complete on every disk; it is concluded.")
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try tags(nodes) == [["old", "new"], ["old", "new"], ["old", "new"]])
  }

  @Test func `rule 6: a save that guests have written over is taken back where it is`() throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0, 1])
    try nodes[0].writeAsGuest()
    try nodes[2].writeAsGuest()
    let written = try digests(nodes)
    let finding = try #require(try settle().first)
    #expect(finding.outcome.contains("snapshot 'new' was removed from the disks that had it"))
    #expect(try bench.conclusion(of: id).error?.message == finding.outcome)
    #expect(try tags(nodes) == [["old"], ["old"], ["old"]])
    #expect(try digests(nodes) == written)
  }

  @Test func `rule 6: a delete that guests have written over is completed`() throws {
    let id = try bench.interrupt(.delete("old", on: nodes), on: nodes, published: [1])
    for node in nodes { try node.writeAsGuest() }
    let written = try digests(nodes)
    let finding = try #require(try settle().first)
    #expect(finding.outcome == "The delete was completed where it was missing.")
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try tags(nodes) == [[], [], []])
    #expect(try digests(nodes) == written)
  }

  @Test func `rule 6: taking a save back survives a power failure at any point`() throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0, 1])
    for node in nodes { try node.writeAsGuest() }
    let written = try digests(nodes)
    let count = try bench.losePower(inRecoveryOf: id, on: nodes) {
      (comment: Comment) throws -> Void in
      #expect(try bench.conclusion(of: id).error != nil, comment)
      #expect(try tags(nodes) == [["old"], ["old"], ["old"]], comment)
      #expect(try digests(nodes) == written, comment)
    }
    #expect(count > 8)
  }

  @Test func `rule 6: completing a delete survives a power failure at any point`() throws {
    let id = try bench.interrupt(.delete("old", on: nodes), on: nodes, published: [1])
    for node in nodes { try node.writeAsGuest() }
    let written = try digests(nodes)
    let count = try bench.losePower(inRecoveryOf: id, on: nodes) {
      (comment: Comment) throws -> Void in
      #expect(try bench.conclusion(of: id).error == nil, comment)
      #expect(try tags(nodes) == [[], [], []], comment)
      #expect(try digests(nodes) == written, comment)
    }
    #expect(count > 8)
  }

  @Test func `a mark on a published disk does not hide what a guest has written`() async throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    try nodes[0].writeAsGuest()
    try nodes[2].writeAsGuest()
    let written = try digests(nodes)
    // A job of another catalog marks the disk and is cancelled.
    let elsewhere = try Workbench()
    let other = try elsewhere.start(
      .save("other", on: [nodes[0]]), on: [nodes[0]], autoFinalize: false)
    _ = try await elsewhere.runner.wait(for: other, orPending: true)
    try await elsewhere.runner.apply(.cancel, to: other)
    _ = try await elsewhere.runner.wait(for: other)
    #expect(try Image.open(nodes[0].path, for: .peek).hasMarker)

    _ = try settle()
    #expect(try bench.conclusion(of: id).error != nil)
    #expect(try digests(nodes) == written)
    #expect(try tags(nodes) == [["old"], ["old"], ["old"]])
  }

  @Test func `a job of a process that ended before any commit says that no disk was changed`()
    throws
  {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes)
    let open = try bench.openRecords()
    for record in open { try bench.catalog.refuse(record.id) }
    let finding = try #require(try bench.recovery.run().first)
    #expect(finding.outcome.contains("ended before its commit; no disk was changed"))
    #expect(try bench.conclusion(of: id).error?.message == finding.outcome)
    #expect(try tags(nodes) == [["old"], ["old"], ["old"]])
    try expectAgreement(nodes)
  }
}
