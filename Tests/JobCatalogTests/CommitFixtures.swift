import GRDB
import Jobs
import Qcow2
import SnapshotJobs

@testable import JobCatalog

/// An intent over these files, with sectors that differ in every member.
func commitIntent(
  id: CommitID = CommitID(), jobs: [JobID] = [], paths: [String] = ["/a"]
) -> CommitIntent {
  func sector(_ seed: Int) -> FirstSector {
    FirstSector(onDisk: (0..<512).map { UInt8(truncatingIfNeeded: $0 &* 3 + seed) })
  }
  let members = paths.enumerated().map { index, path in
    CommitIntent.Member(
      node: "disk\(index)", path: path,
      sectors: CommitSectors(
        before: sector(4 * index), fenced: sector(4 * index + 1), after: sector(4 * index + 2),
        afterFenced: paths.count == 1 ? sector(4 * index + 3) : nil))
  }
  return CommitIntent(
    id: id, jobs: jobs, created: Timestamp(microseconds: 42), members: members)
}

extension Catalog {
  /// Enters an intent whose worker is not at it any more.
  @discardableResult
  func enter(_ intent: CommitIntent) throws -> CommitIntent {
    _ = try writeIntent(intent)
    return intent
  }

  /// Settles a commit of which every member has been brought to what was decided.
  func settleAll(
    _ intent: CommitIntent, _ decision: CommitDecision = .record, note: String? = nil
  ) throws {
    let settlement = CommitSettlement(
      decision, confirmed: Set(intent.members.indices), note: note, isDurable: true)
    try settle(intent.id, settlement)
  }

  /// How often the log was begun anew, and whether somebody has noted that it has to be.
  func logState() throws -> (secured: Int64, isSuspect: Bool) {
    try database.read { db in
      let row = try Row.fetchOne(db, sql: "SELECT log_secured, log_suspect FROM meta")
      return (row?["log_secured"] ?? -1, row?["log_suspect"] ?? false)
    }
  }
}

/// Lets one COMMIT of a connection fail, as an error of the disk does.
final class CommitFailure: TransactionObserver {
  private var isDone = false

  func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { true }
  func databaseDidChange(with event: DatabaseEvent) {}
  func databaseDidCommit(_ db: Database) {}
  func databaseDidRollback(_ db: Database) {}

  func databaseWillCommit() throws {
    if isDone { return }
    isDone = true
    throw DatabaseError(resultCode: .SQLITE_IOERR_FSYNC)
  }
}
