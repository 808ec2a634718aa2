import GRDB
import Jobs

/// The deletion of what has become old, in one transaction of the database.
struct PruneTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  /// SQL for a job that no commit names which is not settled.
  private static let isSettled = """
    NOT EXISTS (SELECT 1 FROM commit_job JOIN commit_intent
        ON commit_intent.number = commit_job.intent
      WHERE commit_job.job = job.seq AND \(CommitTable.isOpen))
    """

  /// The oldest of the dates at which the five newest jobs were made; nil for fewer jobs. As long as one of them had a
  /// clock that did not run ahead, nothing is old too early.
  func dateOfNewestJobs() throws -> Timestamp? {
    let dates = try Int64.fetchAll(db, sql: "SELECT created FROM job ORDER BY seq DESC LIMIT 5")
    return dates.count < 5 ? nil : dates.min().map(Timestamp.init(microseconds:))
  }

  /// What was counted from when pruning was done last.
  func lastReference() throws -> Timestamp? {
    try Int64.fetchOne(db, sql: "SELECT pruned FROM meta").map(Timestamp.init(microseconds:))
  }

  /// Workers without any job.
  func idleWorkers() throws -> [WorkerRow] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT \(WorkerRow.columns) FROM worker
        WHERE NOT EXISTS (SELECT 1 FROM job WHERE job.worker = worker.number)
          AND NOT EXISTS (SELECT 1 FROM commit_intent
            WHERE commit_intent.worker = worker.number AND \(CommitTable.isOpen))
        """
    ).map(WorkerRow.init)
  }

  /// Dismisses and deletes.
  func prune(
    countedFrom reference: Timestamp, concludedBefore: Timestamp, historyBefore: Timestamp,
    deadWorkers: [Int64]
  ) throws -> PruneReport {
    let old = try Int64.fetchAll(
      db,
      sql: """
        SELECT seq FROM job WHERE dismissed IS NULL AND status = 'concluded' AND concluded < ?
          AND \(Self.isSettled) ORDER BY seq
        """,
      arguments: [concludedBefore.microseconds])
    let now = Clock.now()
    for number in old { try JobTable(db).dismiss(number, at: now) }
    try db.execute(
      sql: """
        DELETE FROM job WHERE dismissed IS NOT NULL AND COALESCE(concluded, dismissed) < ?
          AND \(Self.isSettled)
        """,
      arguments: [historyBefore.microseconds])
    let deleted = db.changesCount
    try db.execute(
      sql: """
        DELETE FROM job_transaction WHERE
          NOT EXISTS (SELECT 1 FROM job WHERE job.txn = job_transaction.number)
          AND NOT EXISTS (SELECT 1 FROM busy_subject WHERE txn = job_transaction.number)
        """)
    try deleteCommits(before: historyBefore)
    try db.execute(
      sql: "DELETE FROM device_state WHERE created < ?", arguments: [historyBefore.microseconds])
    for worker in deadWorkers {
      try db.execute(
        sql: """
          DELETE FROM worker WHERE number = ?
            AND NOT EXISTS (SELECT 1 FROM job WHERE job.worker = worker.number)
          """,
        arguments: [worker])
    }
    try db.execute(sql: "UPDATE meta SET pruned = ?", arguments: [reference.microseconds])
    return PruneReport(dismissed: old.count, deleted: deleted)
  }

  /// Commits go with the history, but for those with an image that nobody has confirmed: it may turn up with the
  /// fence.
  private func deleteCommits(before time: Timestamp) throws {
    try db.execute(
      sql: """
        DELETE FROM commit_intent WHERE settled IS NOT NULL AND settled < ?
          AND NOT \(CommitTable.isUnconfirmed)
        """,
      arguments: [time.microseconds])
  }
}
