import JobCatalog
import Jobs
import SnapshotJobs
import TestOracles
import Testing

/// A commit of several jobs that was interrupted.
@Suite struct GroupedRecoveryTests {
  private let bench: Workbench
  private let nodes: [Node]
  private let old: [String]
  private let ids: [JobID]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeThreeDisks()
    old = try digests(nodes, snapshot: "old")
    ids = [try JobID("a"), try JobID("b")]
  }

  /// Job `a` loads the first disks, job `b` the rest.
  private func interrupt(split: Int, published: [Int] = [], fenced: [Int] = []) throws {
    try bench.interrupt(
      [
        (ids[0], .load("old", on: Array(nodes[..<split]))),
        (ids[1], .load("old", on: Array(nodes[split...]))),
      ], on: nodes, published: published, fenced: fenced)
  }

  @Test(
    "It is brought to its end on the disks of all jobs, which conclude",
    arguments: [([], []), ([], [0, 1]), ([0], [1, 2]), ([0, 1, 2], [])])
  func forward(published: [Int], fenced: [Int]) throws {
    try interrupt(split: 1, published: published, fenced: fenced)
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    for id in ids { #expect(try bench.conclusion(of: id).error == nil) }
    #expect(try digests(nodes) == old)
    try expectAgreement(nodes)
  }

  @Test func `forced, the job whose disk was written to is completed, and the others published`()
    throws
  {
    try interrupt(split: 1, published: [0], fenced: [2])
    try nodes[0].writeAsGuest()
    try nodes[1].writeAsGuest()
    #expect(try bench.recovery.run().map(\.isResolved) == [false])
    let loaded = try digests([nodes[0]])
    #expect(try bench.recovery.run(job: ids[0], force: .forward).map(\.isResolved) == [true])
    for id in ids { #expect(try bench.conclusion(of: id).error == nil) }
    #expect(try digests(nodes) == loaded + old[1...2])
    try expectAgreement(nodes)
  }

  @Test func `forced, disks of several jobs that were written to are left alone`() throws {
    try interrupt(split: 2, published: [0])
    for node in nodes { try node.writeAsGuest() }
    let before = try fileDigests(nodes)
    let finding = try #require(try bench.recovery.run(force: .forward).first)
    #expect(!finding.isResolved)
    #expect(finding.outcome.contains("disks of several jobs of one group"))
    #expect(try fileDigests(nodes) == before)
    #expect(try bench.recovery.run(force: .abandon).map(\.isResolved) == [true])
    for id in ids { #expect(try bench.conclusion(of: id).error != nil) }
    try expectAgreement(nodes)
  }
}
