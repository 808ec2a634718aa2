import Foundation
import GRDB
import Jobs
import SnapshotJobs
import Testing

@testable import JobCatalog

@Suite struct CatalogMaintenanceTests {
  let home: TemporaryCatalog
  let day: Int64 = 86_400_000_000

  init() throws { home = try TemporaryCatalog() }

  private func now(_ days: Int64, _ more: Int64 = 0) -> Timestamp {
    Timestamp(microseconds: days * day + more)
  }

  @Test func aConcludedJobIsDismissedAfterSevenDaysAndDeletedAfterFourHundred() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    try catalog.move("job1", to: .concluded, at: 0)
    #expect(try catalog.prune(countedFrom: now(7)) == PruneReport(dismissed: 0, deleted: 0))
    #expect(try catalog.job(JobID("job1")) != nil)
    let last = try catalog.lastEventNumber()
    #expect(try catalog.prune(countedFrom: now(7, 1)) == PruneReport(dismissed: 1, deleted: 0))
    #expect(try catalog.job(JobID("job1")) == nil)
    #expect(try catalog.events(after: last).map(\.event.status) == [.null])
    let kept = try catalog.history(subject: nil, allSubjects: true)
    #expect(kept.first?.dismissed != nil)
    #expect(try catalog.prune(countedFrom: now(400)) == PruneReport(dismissed: 0, deleted: 0))
    #expect(try catalog.prune(countedFrom: now(400, 1)) == PruneReport(dismissed: 0, deleted: 1))
    #expect(try catalog.history(subject: nil, allSubjects: true).isEmpty)
    #expect(try catalog.lastEventNumber() == last + 1)
    #expect(try catalog.check().isEmpty)
  }

  @Test func aJobThatIsNotConcludedIsLeftAloneHoweverOld() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1", at: 0)])
    try catalog.move("job1", to: .pending, at: 0)
    #expect(try catalog.prune(countedFrom: now(4000)) == PruneReport(dismissed: 0, deleted: 0))
    #expect(try catalog.job(JobID("job1"))?.status == .pending)
  }

  @Test func aJobWithACommitThatIsNotSettledStays() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    let intent = try catalog.enter(commitIntent(jobs: [try JobID("job1")]))
    try catalog.move("job1", to: .concluded, at: 0)
    #expect(try catalog.prune(countedFrom: now(4000)) == PruneReport(dismissed: 0, deleted: 0))
    try catalog.move("job1", to: .null, at: 1)
    #expect(try catalog.prune(countedFrom: now(4000)) == PruneReport(dismissed: 0, deleted: 0))
    #expect(try catalog.unsettledCommits().map(\.intent) == [intent])
    try catalog.settleAll(intent)
    #expect(try catalog.prune(countedFrom: now(4000)) == PruneReport(dismissed: 0, deleted: 1))
  }

  /// The time of `days` days from now.
  private func later(_ days: Int64) -> Timestamp { Clock.now() + .seconds(days * 86_400) }

  @Test func aConfirmedCommitGoesWithTheHistoryAndAnUnconfirmedOneNever() throws {
    let catalog = try home.open()
    let done = try catalog.enter(commitIntent(paths: ["/a", "/b"]))
    let away = try catalog.enter(commitIntent(paths: ["/c", "/d"]))
    let open = try catalog.enter(commitIntent(paths: ["/e"]))
    try catalog.settleAll(done)
    try catalog.settle(away.id, CommitSettlement(.record, confirmed: [0], isDurable: true))
    try catalog.prune(countedFrom: later(399))
    #expect(try catalog.commit(done.id) != nil)
    try catalog.prune(countedFrom: later(401))
    #expect(try catalog.commit(done.id) == nil)
    try catalog.prune(countedFrom: Timestamp(microseconds: .max))
    let paths = try catalog.database.read { db in
      try String.fetchAll(db, sql: "SELECT path FROM commit_member ORDER BY path")
    }
    #expect(paths == ["/c", "/d", "/e"])
    // With all that is needed to resolve it.
    let kept = try #require(try catalog.unconfirmedCommits().first)
    #expect(kept.intent == away)
    #expect(kept.decision == .record)
    #expect(try catalog.unsettledCommits().map(\.intent) == [open])
    try catalog.confirm([1], of: away.id)
    try catalog.prune(countedFrom: Timestamp(microseconds: .max))
    #expect(try catalog.commit(away.id) == nil)
    #expect(try catalog.unsettledCommits().map(\.intent) == [open])
    #expect(try catalog.check().isEmpty)
  }

  @Test func neitherADismissalNorPruningTakesTheSectorsOfAnImageThatIsAway() throws {
    let worker = try home.open()
    let job = try JobID("job1")
    _ = try worker.insert([newJob("job1")])
    let intent = try worker.enter(commitIntent(jobs: [job], paths: ["/a", "/b"]))
    try worker.settle(intent.id, CommitSettlement(.undone, confirmed: [], isDurable: true))
    try worker.move("job1", to: .concluded, at: 0)
    try worker.move("job1", to: .null, at: 1)
    worker.close()
    let catalog = try home.open()
    #expect(try catalog.prune(countedFrom: now(4000)) == PruneReport(dismissed: 0, deleted: 1))
    try catalog.prune(countedFrom: now(4000))
    let kept = try #require(try catalog.unconfirmedCommits().first)
    #expect(kept.intent == intent)
    #expect(kept.decision == .undone)
    #expect(try catalog.claim(intent.id) != nil)
    #expect(try catalog.check().isEmpty)
  }

  @Test func aWorkerIsNotForgottenWhileItsCommitIsNotSettled() throws {
    let worker = try home.open()
    let intent = try worker.enter(commitIntent())
    worker.close()
    let catalog = try home.open()
    try catalog.prune(countedFrom: now(4000))
    func count() throws -> Int? {
      try catalog.database.read { db in try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM worker") }
    }
    #expect(try count() == 1)
    try catalog.settleAll(intent)
    try catalog.prune(countedFrom: now(4000))
    #expect(try count() == 0)
  }

  @Test func deletedHistoryTakesDeadWorkersWithIt() throws {
    let dead = try home.open()
    _ = try dead.insert([newJob("job1")])
    try dead.move("job1", to: .concluded, at: 0)
    try dead.move("job1", to: .null, at: 0)
    dead.close()
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job2", subject: nil)])
    try catalog.prune(countedFrom: now(500))
    try catalog.prune(countedFrom: now(500))
    let workers = try catalog.database.read { db in
      try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM worker")
    }
    #expect(workers == 1)
    #expect(try catalog.job(JobID("job2"))?.worker?.isAlive == true)
  }

  @Test func theFifthNewestJobSaysWhatIsOld() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("old", subject: nil, at: 0)])
    try catalog.move("old", to: .concluded, at: 0)
    for (number, days) in [Int64(500), 1, 1, 1].enumerated() {
      _ = try catalog.insert([newJob("job\(number)", subject: nil, at: days * day)])
    }
    // One clock ran ahead.
    #expect(try catalog.job(JobID("old")) != nil)
    #expect(try catalog.prune() == PruneReport(dismissed: 0, deleted: 0))
    for number in 4..<9 {
      _ = try catalog.insert([newJob("job\(number)", subject: nil, at: 8 * day)])
    }
    #expect(try catalog.job(JobID("old")) == nil)
    #expect(try remembers(catalog, "old"))
    for number in 9..<14 {
      _ = try catalog.insert([newJob("job\(number)", subject: nil, at: 401 * day)])
    }
    #expect(try !remembers(catalog, "old"))
  }

  private func remembers(_ catalog: Catalog, _ id: String) throws -> Bool {
    try catalog.history(subject: nil, allSubjects: true).contains {
      $0.record.id.description == id
    }
  }

  @Test func lookingPrunesNothing() throws {
    do {
      let catalog = try home.open()
      for number in 0..<9 {
        _ = try catalog.insert([newJob("job\(number)", subject: nil, at: Int64(number) * day)])
      }
      try catalog.move("job0", to: .concluded, at: -1000 * day)
    }
    let catalog = try home.open()
    _ = try catalog.jobs()
    #expect(try catalog.job(JobID("job0")) != nil)
    #expect(try catalog.prune() == PruneReport(dismissed: 1, deleted: 1))
  }

  @Test func aReferenceThatRanAheadDoesNotEndPruning() throws {
    let catalog = try home.open()
    try catalog.prune(countedFrom: Timestamp(microseconds: .max))
    for number in 0..<5 {
      _ = try catalog.insert([newJob("job\(number)", subject: nil, at: day)])
    }
    let pruned = try catalog.database.read { db in
      try Int64.fetchOne(db, sql: "SELECT pruned FROM meta")
    }
    #expect(pruned == day)
  }

  @Test func aCatalogInGoodOrderPassesItsCheck() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    try catalog.enter(commitIntent(jobs: [try JobID("job1")]))
    #expect(try catalog.check().isEmpty)
  }

  @Test func theCheckNamesEverythingThatIsWrong() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    try catalog.database.withWriter { db in
      try db.execute(
        sql: """
          PRAGMA foreign_keys = OFF;
          UPDATE job SET worker = 4711, status = 'unheard-of';
          INSERT INTO node (machine, position, name, path, read_only, excluded)
            VALUES (1, 1, 'no name', '/x', 0, 0);
          """)
    }
    let problems = try catalog.check()
    #expect(problems.contains { $0.contains("job") && $0.contains("worker") })
    #expect(problems.contains { $0.contains("'unheard-of' is no JobStatus") })
    #expect(problems.contains { $0.contains("Invalid node-name: 'no name'") })
  }

  @Test func aBackupIsACatalogOfItsOwnInOnePrivateFile() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    let intent = try catalog.enter(commitIntent(jobs: [try JobID("job1")]))
    let target = home.directory + "/copy.sqlite"
    try catalog.backup(to: target)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: home.directory).sorted()
        == ["copy.sqlite", "state"])
    let attributes = try FileManager.default.attributesOfItem(atPath: target)
    #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    let copy = try Catalog(path: target)
    #expect(try copy.unsettledCommits().map(\.intent) == [intent])
    #expect(copy.catalogID == catalog.catalogID)
    #expect(try copy.jobs().map(\.id.description) == ["job1"])
  }

  @Test func aBackupOverwritesNothing() throws {
    let catalog = try home.open()
    let target = home.directory + "/precious"
    try Data("precious".utf8).write(to: URL(fileURLWithPath: target))
    let error = failure { try catalog.backup(to: target) }
    #expect(error?.kind == .conflict)
    #expect(error?.message.contains(target) == true)
    #expect(try Data(contentsOf: URL(fileURLWithPath: target)) == Data("precious".utf8))
  }

  @Test func aBackupThatCannotBeWrittenNamesItsFile() throws {
    let catalog = try home.open()
    let target = home.directory + "/missing/copy.sqlite"
    let error = failure { try catalog.backup(to: target) }
    #expect(error?.message.contains(target) == true)
  }
}
