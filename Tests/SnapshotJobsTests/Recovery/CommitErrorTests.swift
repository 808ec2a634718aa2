import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import Synchronization
import TestOracles
import Testing

/// COMMIT of the record reports an error: whether the record is there decides.
@Suite struct CommitErrorTests {
  private let bench: Workbench
  private let nodes: [Node]
  private let content: [String]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeThreeDisks()
    content = try digests(nodes)
  }

  private func run(_ log: UnsureLog) async throws -> (JobRunner, JobRecord) {
    let catalog = bench.catalog
    let runner = JobRunner(
      store: catalog, committer: ImageCommitter(log: log),
      settlement: { (runner, id) throws(JobError) in
        _ = try Recovery(log: catalog, runner: runner).run(job: id)
      })
    let id = try bench.start(.save("new", on: nodes), on: nodes, runner: runner)
    return (runner, try await runner.wait(for: id))
  }

  @Test func `a record that is there all the same is committed`() async throws {
    let (_, record) = try await run(UnsureLog(bench.catalog, .appends))
    #expect(record.status == .concluded && record.error == nil)
    #expect(try digests(nodes, snapshot: "new") == content)
    try expectAgreement(nodes)
    #expect(try bench.unsettledCommits().isEmpty)
  }

  @Test func `a record that may be missing is excluded for good, and the job undone`()
    async throws
  {
    let log = UnsureLog(bench.catalog, .forgets)
    let before = try fileDigests(nodes)
    let (_, record) = try await run(log)
    #expect(record.status == .concluded)
    #expect(record.error == UnsureLog.failure)
    #expect(try tags(nodes) == [["old"], ["old"], ["old"]])
    #expect(try fileDigests(nodes) == before)
    try expectAgreement(nodes)
    // It turns up later: it does not count.
    let id = try #require(log.commit)
    #expect(try bench.catalog.decide(.record, id) == .undone)
    try bench.restart()
    #expect(try bench.recovery.run().isEmpty)
  }

  @Test func `a full disk leaves no record, and the job is undone`() async throws {
    let before = try fileDigests(nodes)
    let (_, record) = try await run(UnsureLog(bench.catalog, .refuses))
    #expect(record.error == UnsureLog.failure)
    #expect(try fileDigests(nodes) == before)
    #expect(try bench.unsettledCommits().isEmpty)
  }

  @Test(arguments: [UnsureLog.Way.appends, .forgets])
  func `with an unusable catalog the disks stay fenced, and the next start brings it to its end`(
    way: UnsureLog.Way
  ) async throws {
    let (_, record) = try await run(UnsureLog(bench.catalog, way, isUnusable: true))
    #expect(record.status == .pending)
    #expect(record.error?.kind == .catalog)
    for node in nodes { #expect(try UnfencedImage.isFenced(node.path)) }

    try bench.restart()
    let finding = try #require(try bench.recovery.run().first)
    #expect(finding.isResolved)
    let conclusion = try bench.conclusion(of: record.id)
    #expect((conclusion.error == nil) == (way == .appends))
    #expect(
      try tags(nodes) == nodes.map { _ in way == .appends ? ["old", "new"] : ["old"] })
    #expect(try digests(nodes) == content)
    try expectAgreement(nodes)
    #expect(try bench.recovery.run().isEmpty)
  }

  @Test func `finalize settles a job whose commit did not come to its end`() async throws {
    let (runner, record) = try await run(UnsureLog(bench.catalog, .appends, isUnusable: true))
    #expect(record.status == .pending && record.error != nil)
    try await runner.apply(.finalize, to: record.id)
    let conclusion = try bench.conclusion(of: record.id)
    #expect(conclusion.error == nil)
    #expect(try digests(nodes, snapshot: "new") == content)
    try expectAgreement(nodes)
  }
}

/// A commit log whose COMMIT of a record reports an error.
final class UnsureLog: CommitLog {
  /// What becomes of the record.
  enum Way: Sendable, CaseIterable {
    /// It is there all the same.
    case appends
    /// It is not there, and nobody knows.
    case forgets
    /// It is not there for sure.
    case refuses
  }

  static let failure = JobError(.catalog, "disk I/O error")

  private let catalog: Catalog
  private let way: Way
  private let isUnusable: Bool
  private let failed = Mutex<CommitID?>(nil)

  /// The commit whose record was to be written.
  var commit: CommitID? { failed.withLock { $0 } }

  /// Makes one; an unusable one lets nothing work after the error.
  init(_ catalog: Catalog, _ way: Way, isUnusable: Bool = false) {
    self.catalog = catalog
    self.way = way
    self.isUnusable = isUnusable
  }

  private func requireUse() throws(JobError) {
    if isUnusable, commit != nil { throw Self.failure }
  }

  var catalogID: CatalogID { catalog.catalogID }
  var catalogPath: String { catalog.catalogPath }

  func writeIntent(_ intent: CommitIntent) throws(JobError) -> CommitClaim {
    try catalog.writeIntent(intent)
  }
  func decide(
    _ decision: CommitDecision, _ id: CommitID
  ) throws(CommitLogError) -> CommitDecision {
    if decision == .record, commit == nil {
      if way == .appends { _ = try catalog.decide(.record, id) }
      failed.withLock { $0 = id }
      throw CommitLogError(Self.failure, isAmbiguous: way != .refuses)
    }
    do throws(JobError) {
      try requireUse()
    } catch {
      throw CommitLogError(error, isAmbiguous: false)
    }
    return try catalog.decide(decision, id)
  }
  func settle(_ id: CommitID, _ settlement: CommitSettlement) throws(JobError) {
    try requireUse()
    try catalog.settle(id, settlement)
  }
  func unsettledCommits() throws(JobError) -> [CommitRow] {
    try requireUse()
    return try catalog.unsettledCommits()
  }
  func unconfirmedCommits() throws(JobError) -> [CommitRow] {
    try requireUse()
    return try catalog.unconfirmedCommits()
  }
  func commit(_ id: CommitID) throws(JobError) -> CommitRow? {
    try requireUse()
    return try catalog.commit(id)
  }
  func claim(_ id: CommitID) throws(JobError) -> CommitClaim? {
    try requireUse()
    return try catalog.claim(id)
  }
  func makeDecisionsDurable() throws(JobError) {
    try requireUse()
    try catalog.makeDecisionsDurable()
  }
  func confirm(_ members: Set<Int>, of id: CommitID) throws(JobError) {
    try requireUse()
    try catalog.confirm(members, of: id)
  }
  func outcome(ofJob job: JobID) throws(JobError) -> CommitJobOutcome {
    try requireUse()
    return try catalog.outcome(ofJob: job)
  }
  func imagesToClean() throws(JobError) -> [String] { try catalog.imagesToClean() }
  func noteClean(_ path: String) throws(JobError) { try catalog.noteClean(path) }
  var stagedStateDirectory: String { catalog.stagedStateDirectory }
  func deviceStates(of commits: [CommitID]) throws(JobError) -> [CommitID: CommitNotes] {
    try requireUse()
    return try catalog.deviceStates(of: commits)
  }
  func note(_ stamps: [StagedStateStamp]) throws(JobError) {
    try requireUse()
    try catalog.note(stamps)
  }
}
