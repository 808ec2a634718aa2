import Foundation
import GRDB
import Jobs
import Qcow2
import SnapshotJobs
import Testing

@testable import JobCatalog

@Suite struct CommitClaimTests {
  let home: TemporaryCatalog
  let worker: Catalog
  let recovery: Catalog

  init() throws {
    home = try TemporaryCatalog()
    worker = try home.open()
    recovery = try home.open()
  }

  @Test func noRecoveryGetsACommitWhileItsWorkerIsAtIt() throws {
    let intent = commitIntent()
    let claim = try worker.writeIntent(intent)
    #expect(try recovery.claim(intent.id) == nil)
    // Nor does one in the same process.
    #expect(try worker.claim(intent.id) == nil)
    withExtendedLifetime(claim) {}
    #expect(try recovery.unsettledCommits().map(\.workerPID) == [getpid()])
  }

  @Test func aWorkerThatLivesOnLetsGoOfOneCommitAndKeepsAnother() throws {
    let first = commitIntent()
    let second = commitIntent()
    var claims = [try worker.writeIntent(first), try worker.writeIntent(second)]
    claims.removeFirst()
    #expect(try recovery.claim(first.id) != nil)
    #expect(try recovery.claim(second.id) == nil)
    claims.removeAll()
    #expect(try recovery.claim(second.id) != nil)
    // A new commit does not get a byte that a recovery may still hold.
    let held = try recovery.claim(second.id)
    let third = commitIntent()
    let claim = try worker.writeIntent(third)
    #expect(try recovery.claim(third.id) == nil)
    #expect(try recovery.claim(first.id) != nil)
    withExtendedLifetime((held, claim)) {}
  }

  @Test func recoveriesHaveACommitSideBySide() throws {
    let intent = try worker.enter(commitIntent())
    let other = try home.open()
    let claims = [
      try recovery.claim(intent.id), try other.claim(intent.id), try worker.claim(intent.id),
    ]
    #expect(claims.allSatisfy { $0 != nil })
  }

  @Test func aClosedWorkersCommitIsFree() throws {
    let intent = commitIntent()
    let claim = try worker.writeIntent(intent)
    #expect(try recovery.claim(intent.id) == nil)
    worker.close()
    #expect(try recovery.claim(intent.id) != nil)
    #expect(try recovery.unsettledCommits().map(\.intent) == [intent])
    withExtendedLifetime(claim) {}
  }

  @Test func aKilledWorkersLockFileIsKeptAsLongAsItsCommitIsNotSettled() throws {
    let intent = commitIntent()
    let claim = try worker.writeIntent(intent)
    let directory = home.path + ".workers/"
    let name = try #require(
      try FileManager.default.contentsOfDirectory(atPath: directory)
        .first { $0 != "migration.lock" })
    worker.close()
    withExtendedLifetime(claim) {}
    // As a kill leaves it: the file is there, its lock free.
    #expect(FileManager.default.createFile(atPath: directory + name, contents: nil))
    #expect(try recovery.claim(intent.id) != nil)
    let later = try home.open()
    #expect(FileManager.default.fileExists(atPath: directory + name))
    try later.settleAll(intent, .undone)
    _ = try home.open()
    #expect(!FileManager.default.fileExists(atPath: directory + name))
    #expect(try recovery.claim(intent.id) != nil)
  }

  @Test func afterARebootEveryCommitIsFree() throws {
    let intent = commitIntent()
    let claim = try worker.writeIntent(intent)
    try recovery.database.write { db in
      try db.execute(sql: "UPDATE worker SET boot_id = 'another boot'")
    }
    #expect(try recovery.claim(intent.id) != nil)
    withExtendedLifetime(claim) {}
  }

  @Test func aCommitWhoseWorkerIsForgottenIsFree() throws {
    let intent = try worker.enter(commitIntent())
    try recovery.database.write { db in try db.execute(sql: "DELETE FROM worker") }
    #expect(try recovery.claim(intent.id) != nil)
    #expect(try recovery.claim(CommitID()) != nil)
    #expect(try recovery.check().isEmpty)
  }

  @Test func anIntentThatCannotBeEnteredLeavesNoLock() throws {
    let intent = commitIntent()
    let claim = try worker.writeIntent(intent)
    let last = try recovery.database.read { db in
      try Int64.fetchOne(db, sql: "SELECT max(lock_byte) FROM commit_intent")
    }
    #expect(failure { _ = try worker.writeIntent(intent) }?.kind == .catalog)
    let row = try #require(
      try recovery.database.read { db in
        try Row.fetchOne(db, sql: "SELECT \(WorkerRow.columns) FROM worker").map(WorkerRow.init)
      })
    let byte = try #require(last)
    #expect(try recovery.workers.share(row, byte: byte) == nil)
    #expect(try recovery.workers.share(row, byte: byte + 1) != nil)
    withExtendedLifetime(claim) {}
  }
}
