import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import Synchronization
import TestOracles
import Testing

/// COMMIT reports an error: whether the record is there decides.
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
    let (_, record) = try await run(UnsureLog(bench.catalog, appends: true))
    #expect(record.status == .concluded && record.error == nil)
    #expect(try digests(nodes, snapshot: "new") == content)
    try expectAgreement(nodes)
    #expect(try bench.openRecords().isEmpty)
  }

  @Test func `a record that is not there is refused for good, and the job undone`() async throws {
    let log = UnsureLog(bench.catalog, appends: false)
    let (_, record) = try await run(log)
    #expect(record.status == .concluded)
    #expect(record.error == UnsureLog.failure)
    #expect(try tags(nodes) == [["old"], ["old"], ["old"]])
    #expect(try digests(nodes) == content)
    try expectAgreement(nodes)
    for node in nodes { #expect(try Image.open(node.path, for: .peek).marks.pending == nil) }
    // It turns up later: it does not count.
    let late = try #require(log.record)
    let error = #expect(throws: JobError.self) { try bench.catalog.append(late) }
    #expect(error?.kind == .conflict)
    try bench.restart()
    #expect(try bench.recovery.run().isEmpty)
  }

  @Test(arguments: [true, false])
  func `with an unusable catalog nothing is undone, and the next start decides`(
    isThere: Bool
  ) async throws {
    let log = UnsureLog(bench.catalog, appends: isThere, isUnusable: true)
    let (_, record) = try await run(log)
    #expect(record.status == .pending)
    #expect(record.error?.kind == .catalog)
    for node in nodes { #expect(try Image.open(node.path, for: .peek).marks.pending != nil) }
    try expectAgreement(nodes)

    try bench.restart()
    let finding = try #require(try bench.recovery.run().first)
    #expect(finding.isResolved)
    let conclusion = try bench.conclusion(of: record.id)
    #expect((conclusion.error == nil) == isThere)
    #expect(
      try tags(nodes) == nodes.map { _ in isThere ? ["old", "new"] : ["old"] })
    #expect(try digests(nodes) == content)
    try expectAgreement(nodes)
    #expect(try bench.recovery.run().isEmpty)
  }

  @Test func `finalize settles a job whose commit did not come to its end`() async throws {
    let (runner, record) = try await run(
      UnsureLog(bench.catalog, appends: true, isUnusable: true))
    #expect(record.status == .pending && record.error != nil)
    try await runner.apply(.finalize, to: record.id)
    let conclusion = try bench.conclusion(of: record.id)
    #expect(conclusion.error == nil)
    #expect(try digests(nodes, snapshot: "new") == content)
    try expectAgreement(nodes)
  }
}

/// A commit log whose COMMIT reports an error.
private final class UnsureLog: CommitLog {
  static let failure = JobError(.catalog, "disk I/O error")

  private let catalog: Catalog
  private let appends: Bool
  private let isUnusable: Bool
  private let appended = Mutex<CommitRecord?>(nil)

  /// The record that was to be written.
  var record: CommitRecord? { appended.withLock { $0 } }

  /// Makes one that writes the record all the same or does not, and perhaps lets nothing work
  /// afterwards.
  init(_ catalog: Catalog, appends: Bool, isUnusable: Bool = false) {
    self.catalog = catalog
    self.appends = appends
    self.isUnusable = isUnusable
  }

  private func requireUse() throws(JobError) {
    if isUnusable, record != nil { throw Self.failure }
  }

  var catalogID: CatalogID { catalog.catalogID }
  var catalogPath: String { catalog.catalogPath }

  func append(_ record: CommitRecord) throws(JobError) {
    if appends { try catalog.append(record) }
    appended.withLock { $0 = record }
    throw Self.failure
  }
  func append(
    _ record: CommitRecord, closing old: CommitID, note: String
  ) throws(JobError) {
    throw Self.failure
  }
  func contains(_ id: CommitID) throws(JobError) -> Bool {
    try requireUse()
    return try catalog.contains(id)
  }
  func openRecords() throws(JobError) -> [CommitRecord] {
    try requireUse()
    return try catalog.openRecords()
  }
  func close(_ id: CommitID, note: String?) throws(JobError) {
    try requireUse()
    try catalog.close(id, note: note)
  }
  func refuse(_ id: CommitID) throws(JobError) {
    try requireUse()
    try catalog.refuse(id)
  }
  func outcome(ofJob job: JobID) throws(JobError) -> RecordOutcome {
    try requireUse()
    return try catalog.outcome(ofJob: job)
  }
  func knows(_ id: CommitID) throws(JobError) -> Bool {
    try requireUse()
    return try catalog.knows(id)
  }
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
