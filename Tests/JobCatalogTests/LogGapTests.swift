import Foundation
import GRDB
import Jobs
import Qcow2
import SnapshotJobs
import Testing

@testable import JobCatalog

/// Frames of the log that may be missing on the disk.
@Suite struct LogGapTests {
  let home: TemporaryCatalog
  let statements = StatementLog()

  init() throws { home = try TemporaryCatalog() }

  private func logByteCount() throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: home.path + "-wal")
    return (attributes[.size] as? NSNumber)?.intValue ?? -1
  }

  private func open(_ timeout: Duration = .seconds(5)) throws -> Catalog {
    try home.open(busyTimeout: timeout, onStatement: { [statements] in statements.append($0) })
  }

  @Test func decisionsAreMadeDurableByACompleteCheckpointAndANewLog() throws {
    let catalog = try open()
    for index in 0..<20 { try catalog.enter(commitIntent(paths: ["/\(index)"])) }
    let before = try logByteCount()
    let count = try catalog.logState().secured
    statements.reset()
    try catalog.makeDecisionsDurable()
    #expect(try logByteCount() < before)
    #expect(try catalog.logState().secured == count + 1)
    #expect(statements.commitLevels() == ["FULL"])
    #expect(try catalog.unsettledCommits().count == 20)
    #expect(try home.open().unsettledCommits().count == 20)
  }

  @Test func aReaderInTheWayMakesTheCatalogBusyAndChangesNothing() throws {
    let catalog = try open(.milliseconds(100))
    let reader = try home.open()
    let intent = try catalog.enter(commitIntent())
    let count = try catalog.logState().secured
    try reader.database.read { db in
      #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM commit_intent") == 1)
      #expect(try catalog.decide(.record, intent.id) == .record)
      let error = failure { try catalog.makeDecisionsDurable() }
      #expect(error?.kind == .inUse)
      #expect(error?.message.contains(catalog.path) == true)
      #expect(try catalog.logState().secured == count)
    }
    try catalog.makeDecisionsDurable()
    #expect(try catalog.logState().secured == count + 1)
  }

  @Test func aLogThatThisProcessBeganIsTrusted() throws {
    let catalog = try open()
    for _ in 0..<2 { try catalog.enter(commitIntent()) }
    #expect(try catalog.logState() == (0, false))
  }

  @Test func aLogThatWasThereBeforeIsBegunAnewBeforeTheFirstIntent() throws {
    let first = try open()
    try first.enter(commitIntent())
    #expect(try logByteCount() > 0)
    let second = try home.open()
    #expect(try second.unsettledCommits().count == 1)
    #expect(try second.logState().secured == 0)
    try second.enter(commitIntent())
    #expect(try second.logState().secured == 1)
    try second.enter(commitIntent())
    #expect(try second.logState().secured == 1)
  }

  @Test func aCommitThatFailedIsInDoubtAndMakesTheLogSuspect() throws {
    let catalog = try open()
    let other = try home.open()
    // What the other process would do on its own account.
    try other.enter(commitIntent())
    let count = try other.logState().secured
    let intent = try catalog.enter(commitIntent())
    let failure = CommitFailure()
    try catalog.database.withWriter { db in db.add(transactionObserver: failure) }
    do throws(CommitLogError) {
      _ = try catalog.decide(.record, intent.id)
      Issue.record("decided")
    } catch {
      #expect(error.isAmbiguous)
      #expect(error.error.message.contains(catalog.path))
    }
    #expect(try other.logState() == (count, true))
    // Whoever enters an intent next begins the log anew, whichever process it is.
    try other.enter(commitIntent())
    #expect(try other.logState() == (count + 1, false))
    // The process in which it happened does so by itself.
    try catalog.enter(commitIntent())
    #expect(try catalog.logState() == (count + 2, false))
    try catalog.enter(commitIntent())
    #expect(try catalog.logState() == (count + 2, false))
  }

  @Test func anIntentIsRefusedWhileASuspectLogCannotBeBegunAnew() throws {
    let first = try open()
    try first.enter(commitIntent())
    let second = try home.open(busyTimeout: .milliseconds(100))
    try first.database.read { db in
      #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM commit_intent") == 1)
      #expect(failure { try second.enter(commitIntent()) }?.kind == .inUse)
    }
    #expect(try first.unsettledCommits().count == 1)
    try second.enter(commitIntent())
    #expect(try first.unsettledCommits().count == 2)
  }

  @Test func aFullDiskIsReportedAndLeavesNothingInDoubt() throws {
    let catalog = try open()
    let intent = try catalog.enter(commitIntent())
    try catalog.database.withWriter { db in
      let pages = try #require(try Int.fetchOne(db, sql: "PRAGMA page_count"))
      _ = try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(pages)")
    }
    let big = commitIntent(paths: (0..<500).map { "/\($0)" })
    let error = failure { try catalog.enter(big) }
    #expect(error?.kind == .noSpace)
    #expect(error?.message.contains(catalog.path) == true)
    #expect(try catalog.commit(big.id) == nil)
    do throws(CommitLogError) {
      try catalog.database.commitDurably { db in
        try db.execute(sql: "CREATE TABLE big AS SELECT zeroblob(1000000)")
      }
      Issue.record("written")
    } catch {
      #expect(error.error.kind == .noSpace)
      #expect(!error.isAmbiguous)
    }
    #expect(try catalog.logState().isSuspect == false)
    #expect(try catalog.unsettledCommits().map(\.intent) == [intent])
  }
}
