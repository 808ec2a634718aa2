import GRDB
import Glibc
import Jobs
import Qcow2
import SnapshotJobs
import Testing

@testable import JobCatalog

@Suite struct CatalogCommitLogTests {
  let home: TemporaryCatalog
  let catalog: Catalog

  init() throws {
    home = try TemporaryCatalog()
    catalog = try home.open()
  }

  private func row(
    _ intent: CommitIntent, _ decision: CommitDecision? = nil, isSettled: Bool = false,
    isConfirmed: [Bool]? = nil
  ) -> CommitRow {
    CommitRow(
      intent: intent, decision: decision, isSettled: isSettled,
      isConfirmed: isConfirmed ?? intent.members.map { _ in false }, workerPID: getpid())
  }

  // MARK: Intents

  @Test(arguments: [["/a"], ["/a", "/b \u{E4} '\"\\", "/c"]])
  func anIntentIsReadBackAsItWasWritten(paths: [String]) throws {
    let intent = commitIntent(jobs: [try JobID("b"), try JobID("a")], paths: paths)
    let claim = try catalog.writeIntent(intent)
    for reader in [catalog, try home.open()] {
      #expect(try reader.unsettledCommits() == [row(intent)])
      #expect(try reader.commit(intent.id) == row(intent))
      #expect(try reader.unconfirmedCommits().isEmpty)
    }
    withExtendedLifetime(claim) {}
  }

  @Test func aCommitThatIsNotThereIsNil() throws {
    #expect(try catalog.commit(CommitID()) == nil)
  }

  @Test func unsettledCommitsComeOldestFirst() throws {
    let intents = try (0..<3).map { _ in try catalog.enter(commitIntent()) }
    #expect(try catalog.unsettledCommits().map(\.intent.id) == intents.map(\.id))
    try catalog.settleAll(intents[1])
    #expect(try catalog.unsettledCommits().map(\.intent.id) == [intents[0].id, intents[2].id])
  }

  @Test func anIntentIsEnteredOnce() throws {
    let intent = try catalog.enter(commitIntent(paths: ["/a", "/b"]))
    #expect(failure { try catalog.enter(intent) }?.kind == .catalog)
    #expect(try catalog.unsettledCommits() == [row(intent)])
  }

  // MARK: Decisions

  @Test(arguments: CommitDecision.allCases, CommitDecision.allCases)
  func theFirstDecisionExcludesEveryOther(first: CommitDecision, second: CommitDecision) throws {
    let intent = try catalog.enter(commitIntent(paths: ["/a", "/b"]))
    #expect(try catalog.decide(first, intent.id) == first)
    #expect(try catalog.decide(second, intent.id) == first)
    let other = try home.open()
    #expect(try other.decide(second, intent.id) == first)
    #expect(try other.unsettledCommits() == [row(intent, first)])
    // A settlement does not turn it either.
    let settlement = CommitSettlement(second, confirmed: [], isDurable: false)
    try catalog.settle(intent.id, settlement)
    #expect(try catalog.commit(intent.id) == row(intent, first, isSettled: true))
  }

  @Test func ofTwoThatDecideAtOnceOneWins() async throws {
    for _ in 0..<8 {
      let intent = try catalog.enter(commitIntent())
      let other = try home.open()
      let catalog = catalog
      async let mine = Task.detached { try catalog.decide(.record, intent.id) }.value
      async let theirs = Task.detached { try other.decide(.undone, intent.id) }.value
      #expect(try await mine == theirs)
    }
  }

  @Test func decidingWhatIsNotThereIsAnErrorThatLeavesNoDoubt() throws {
    do throws(CommitLogError) {
      _ = try catalog.decide(.record, CommitID())
      Issue.record("decided")
    } catch {
      #expect(error.error.kind == .notFound)
      #expect(!error.isAmbiguous)
    }
  }

  // MARK: Settling

  @Test func settlingEntersDecisionNoteAndWhatIsConfirmed() throws {
    let intent = try catalog.enter(commitIntent(paths: ["/a", "/b", "/c"]))
    try catalog.settle(
      intent.id, CommitSettlement(.undone, confirmed: [0, 2], note: "given up", isDurable: true))
    let settled = row(intent, .undone, isSettled: true, isConfirmed: [true, false, true])
    #expect(try catalog.commit(intent.id) == settled)
    #expect(try catalog.unsettledCommits().isEmpty)
    #expect(try catalog.unconfirmedCommits() == [settled])
  }

  @Test func theFirstNoteStays() throws {
    let job = try JobID("job1")
    _ = try catalog.insert([newJob("job1")])
    let intent = try catalog.enter(commitIntent(jobs: [job]))
    try catalog.settleAll(intent, .undone, note: "first")
    try catalog.settleAll(intent, .undone, note: "again")
    #expect(try catalog.outcome(ofJob: job) == .failed(note: "first"))
  }

  @Test func settlingOrConfirmingWhatIsNotThereIsAnError() throws {
    #expect(failure { try catalog.settleAll(commitIntent()) }?.kind == .notFound)
    #expect(failure { try catalog.confirm([0], of: CommitID()) }?.kind == .notFound)
  }

  @Test func aMemberStaysUnconfirmedUntilItIsConfirmed() throws {
    let intent = try catalog.enter(commitIntent(paths: ["/a", "/b"]))
    #expect(try catalog.decide(.record, intent.id) == .record)
    try catalog.confirm([1], of: intent.id)
    #expect(try catalog.unsettledCommits() == [row(intent, .record, isConfirmed: [false, true])])
    #expect(try catalog.unconfirmedCommits().isEmpty)
    try catalog.settle(intent.id, CommitSettlement(.record, confirmed: [], isDurable: true))
    let settled = row(intent, .record, isSettled: true, isConfirmed: [false, true])
    #expect(try catalog.unconfirmedCommits() == [settled])
    #expect(try home.open().unconfirmedCommits() == [settled])
    try catalog.confirm([0, 1], of: intent.id)
    #expect(try catalog.unconfirmedCommits().isEmpty)
    #expect(
      try catalog.commit(intent.id)
        == row(intent, .record, isSettled: true, isConfirmed: [true, true]))
  }

  @Test func theOutcomeOfAJobIsThatOfItsNewestCommit() throws {
    let job = try JobID("job1")
    #expect(try catalog.outcome(ofJob: job) == .none)
    _ = try catalog.insert([newJob("job1")])
    #expect(try catalog.outcome(ofJob: job) == .none)
    let first = try catalog.enter(commitIntent(jobs: [job]))
    #expect(try catalog.outcome(ofJob: job) == .open)
    try catalog.settleAll(first, .undone)
    #expect(try catalog.outcome(ofJob: job) == .none)
    let second = try catalog.enter(commitIntent(jobs: [job, try JobID("job2")]))
    #expect(try catalog.decide(.record, second.id) == .record)
    #expect(try catalog.outcome(ofJob: job) == .open)
    try catalog.settleAll(second)
    #expect(try catalog.outcome(ofJob: job) == .done)
    let third = try catalog.enter(commitIntent(jobs: [job]))
    try catalog.settleAll(third, .unknown, note: "not known")
    #expect(try catalog.outcome(ofJob: job) == .failed(note: "not known"))
  }

  @Test func aJobWhoseNameIsUsedAgainIsAnother() throws {
    let job = try JobID("job1")
    _ = try catalog.insert([newJob("job1")])
    let intent = try catalog.enter(commitIntent(jobs: [job]))
    try catalog.settleAll(intent)
    try catalog.move("job1", to: .concluded)
    try catalog.move("job1", to: .null)
    _ = try catalog.insert([newJob("job1")])
    #expect(try catalog.outcome(ofJob: job) == .none)
    #expect(try catalog.commit(intent.id)?.intent.jobs == [job])
  }

  // MARK: What is wrong in the catalog

  @Test(arguments: [
    "UPDATE commit_intent SET id = zeroblob(16)",
    "UPDATE commit_job SET id = 'not an id'",
    "UPDATE commit_member SET before = x'00'",
    "UPDATE commit_member SET fenced = zeroblob(513)",
    "UPDATE commit_member SET before = zeroblob(512)",
    "UPDATE commit_member SET fenced = zeroblob(512)",
    "UPDATE commit_member SET after = zeroblob(512)",
    "UPDATE commit_member SET after_fenced = zeroblob(512)",
    "UPDATE commit_member SET after_fenced = NULL",
    "UPDATE commit_member SET checksum = zeroblob(32)",
    "UPDATE commit_member SET before = after, after = before",
    "DELETE FROM commit_member",
  ])
  func aRowThatIsNotAsItWasWrittenIsAnErrorOfTheCatalog(edit: String) throws {
    let intent = try catalog.enter(commitIntent(jobs: [try JobID("a")]))
    try catalog.database.withWriter { db in
      try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
      try db.execute(sql: edit)
    }
    let error = failure { _ = try catalog.unsettledCommits() }
    #expect(error?.kind == .catalog)
    #expect(error?.message.contains(catalog.path) == true)
    #expect(try !catalog.check().isEmpty)
    if !edit.contains("commit_intent") {
      #expect(failure { _ = try catalog.commit(intent.id) }?.kind == .catalog)
    }
  }

  @Test func aPathThatIsNoTextIsReadAsOneUnderWhichNoFileIsFound() throws {
    try catalog.enter(commitIntent())
    try catalog.database.write { db in
      try db.execute(sql: "UPDATE commit_member SET path = CAST(x'FF' AS TEXT)")
    }
    #expect(try catalog.unsettledCommits().first?.intent.members.first?.path == "\u{FFFD}")
  }

  @Test func theSchemaLetsNoSecondDecisionIn() throws {
    let intent = try catalog.enter(commitIntent())
    #expect(try catalog.decide(.undone, intent.id) == .undone)
    for sql in [
      "INSERT INTO commit_decision VALUES (1, 'record', 0)",
      "UPDATE commit_decision SET decision = 'maybe'",
    ] {
      #expect(failure { try catalog.database.write { db in try db.execute(sql: sql) } } != nil)
    }
  }

  // MARK: Identity and images of earlier versions

  @Test func theCatalogsIdStaysAndDiffersFromAnothers() throws {
    #expect(try home.open().catalogID == catalog.catalogID)
    #expect(try TemporaryCatalog().open().catalogID != catalog.catalogID)
    #expect(catalog.catalogPath == home.path)
  }

  @Test func imagesAreTakenOffTheListOnceTheyWereSeenClean() throws {
    #expect(try catalog.imagesToClean().isEmpty)
    try catalog.database.write { db in
      try db.execute(sql: "INSERT INTO image_to_clean VALUES ('/b'), ('/a')")
    }
    #expect(try catalog.imagesToClean() == ["/a", "/b"])
    try catalog.noteClean("/a")
    try catalog.noteClean("/elsewhere")
    #expect(try home.open().imagesToClean() == ["/b"])
  }
}
