import Foundation
import GRDB
import Jobs
import SnapshotJobs
import Testing

@testable import JobCatalog

@Suite struct DurabilityTests {
  let home: TemporaryCatalog
  let log = StatementLog()

  init() throws { home = try TemporaryCatalog() }

  private func open() throws -> Catalog {
    try home.open(onStatement: { [log] in log.append($0) })
  }

  @Test func aJobOnSeveralImagesMakesThreeFullCommitsAndAllOthersAreNormal() throws {
    let catalog = try open()
    log.reset()
    _ = try catalog.insert([newJob("job1")])
    try catalog.move("job1", to: .running)
    let number = try #require(try catalog.job(JobID("job1"))?.number)
    try catalog.recordProgress(JobProgress(current: 1, total: 2), of: number)
    try catalog.move("job1", to: .waiting)
    try catalog.move("job1", to: .pending)
    #expect(!log.commitLevels().isEmpty)
    #expect(log.commitLevels().allSatisfy { $0 == "NORMAL" })
    log.reset()
    let intent = commitIntent(jobs: [try JobID("job1")], paths: ["/a", "/b"])
    try catalog.enter(intent)
    #expect(log.commitLevels() == ["FULL"])
    #expect(try catalog.decide(.record, intent.id) == .record)
    #expect(log.commitLevels() == ["FULL", "FULL"])
    try catalog.settle(
      intent.id, CommitSettlement(.record, confirmed: [0, 1], isDurable: false))
    try catalog.move("job1", to: .concluded)
    #expect(log.commitLevels() == ["FULL", "FULL", "NORMAL", "FULL"])
    try catalog.move("job1", to: .null)
    #expect(log.commitLevels() == ["FULL", "FULL", "NORMAL", "FULL", "NORMAL"])
  }

  @Test func aJobOnOneImageMakesTwoFullCommits() throws {
    let catalog = try open()
    _ = try catalog.insert([newJob("job1")])
    log.reset()
    let intent = try catalog.enter(commitIntent(jobs: [try JobID("job1")]))
    try catalog.settle(intent.id, CommitSettlement(.record, confirmed: [0], isDurable: false))
    try catalog.move("job1", to: .concluded)
    #expect(log.commitLevels() == ["FULL", "NORMAL", "FULL"])
  }

  @Test func whatRecoveryEntersIsFullByItself() throws {
    let catalog = try open()
    let intent = try catalog.enter(commitIntent())
    log.reset()
    #expect(try catalog.decide(.undone, intent.id) == .undone)
    try catalog.confirm([0], of: intent.id)
    try catalog.settleAll(intent, .undone)
    #expect(log.commitLevels() == ["FULL", "FULL", "FULL"])
  }

  @Test func sqliteItselfSaysFullInsideADurableWriteAndNormalAfterwards() throws {
    let catalog = try open()
    func level(_ db: Database) throws -> Int? {
      try Int.fetchOne(db, sql: "PRAGMA synchronous")
    }
    #expect(try catalog.database.writeDurably(level) == 2)
    #expect(try catalog.database.write(level) == 1)
    #expect(throws: JobError.self) {
      try catalog.database.writeDurably { _ in throw JobError(.general, "rolled back") }
    }
    #expect(try catalog.database.write(level) == 1)
  }

  @Test func theDatabaseUsesAWriteAheadLogAndForeignKeys() throws {
    let catalog = try open()
    let settings = try catalog.database.write { db in
      (
        try String.fetchOne(db, sql: "PRAGMA journal_mode"),
        try Int.fetchOne(db, sql: "PRAGMA foreign_keys"),
        try Int.fetchOne(db, sql: "PRAGMA busy_timeout")
      )
    }
    #expect(settings == ("wal", 1, 5000))
    let readerTimeout = try catalog.database.read { db in
      try Int.fetchOne(db, sql: "PRAGMA busy_timeout")
    }
    #expect(readerTimeout == 5000)
  }

  /// The files as a killed process leaves them: database and log, the log's index not.
  private func crashCopy(
    droppingFromLog byteCount: Int, as name: String = "crashed"
  ) throws -> String {
    let target = home.directory + "/\(name).sqlite"
    try FileManager.default.copyItem(atPath: home.path, toPath: target)
    let walPath = home.path + "-wal"
    let wal = try Data(contentsOf: URL(fileURLWithPath: walPath))
    #expect(wal.count > byteCount)
    try wal.dropLast(byteCount).write(to: URL(fileURLWithPath: target + "-wal"))
    return target
  }

  @Test func aKilledProcesssCommitsAreAllThereAfterwards() throws {
    let catalog = try open()
    _ = try catalog.insert([newJob("job1")])
    let intent = try catalog.enter(
      commitIntent(jobs: [try JobID("job1")], paths: ["/a", "/b"]))
    #expect(try catalog.decide(.record, intent.id) == .record)
    try catalog.move("job1", to: .pending)
    let survivor = try Catalog(path: crashCopy(droppingFromLog: 0))
    #expect(try survivor.unsettledCommits().map(\.intent) == [intent])
    #expect(try survivor.unsettledCommits().map(\.decision) == [.record])
    #expect(try survivor.job(JobID("job1"))?.status == .pending)
    #expect(try survivor.check().isEmpty)
  }

  @Test func aTornCommitIsAsIfItHadNeverBegun() throws {
    let catalog = try open()
    _ = try catalog.insert([newJob("job1")])
    let intent = try catalog.enter(commitIntent(jobs: [try JobID("job1")], paths: ["/a", "/b"]))
    let before = try Catalog(path: crashCopy(droppingFromLog: 0, as: "before"))
    #expect(try catalog.decide(.record, intent.id) == .record)
    let survivor = try Catalog(path: crashCopy(droppingFromLog: 100, as: "torn"))
    for catalog in [before, survivor] {
      #expect(try catalog.unsettledCommits().map(\.intent) == [intent])
      #expect(try catalog.unsettledCommits().map(\.decision) == [nil])
      #expect(try catalog.job(JobID("job1"))?.status == .created)
      #expect(try catalog.check().isEmpty)
    }
    // What is decided without the torn frames stands, also against their coming back.
    #expect(try survivor.decide(.undone, intent.id) == .undone)
  }
}
