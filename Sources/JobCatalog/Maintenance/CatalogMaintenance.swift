import GRDB
public import Jobs
import Logging

/// What pruning did.
public struct PruneReport: Sendable, Hashable {
  /// Concluded jobs that were moved to the history.
  public let dismissed: Int
  /// Jobs that were deleted from the history.
  public let deleted: Int
}

extension Catalog {
  /// How much older than the five newest jobs the conclusion of a job is that still is in `query-jobs`.
  public static let concludedRetention = Duration.seconds(7 * 86_400)

  /// How much older than the five newest jobs the conclusion of a job is that still is in the history.
  public static let historyRetention = Duration.seconds(400 * 86_400)

  /// Dismisses jobs that concluded more than 7 days before the five newest jobs were made, and deletes history of more
  /// than 400 days before them. With fewer jobs than five nothing is old.
  ///
  /// Jobs with a commit that is not settled stay where they are. Commits go with the history, but for those with
  /// an image that was away or in use: these are kept, because it may turn up later. Who made a snapshot is known for
  /// as long as an image has it.
  ///
  /// - Parameter reference: the time to count from; nil for the oldest date of the five newest jobs.
  /// - Returns: how many jobs were moved and deleted.
  /// - Throws: `JobError`; nothing is changed then.
  @discardableResult
  public func prune(countedFrom reference: Timestamp? = nil) throws(JobError) -> PruneReport {
    var counted = reference
    if counted == nil { counted = try self.reference() }
    guard let reference = counted else { return PruneReport(dismissed: 0, deleted: 0) }
    let candidates = try database.read { db in try PruneTable(db).idleWorkers() }
    let dead = candidates.filter { !workers.isAlive($0) }.map(\.number)
    return try database.write { db in
      try PruneTable(db).prune(
        countedFrom: reference, concludedBefore: reference - Self.concludedRetention,
        historyBefore: reference - Self.historyRetention, deadWorkers: dead)
    }
  }

  /// Prunes if that was last done for jobs of a day before, or never. A failure is left to the next time.
  func pruneIfDue() {
    do throws(JobError) {
      guard let reference = try reference() else { return }
      let last = try database.read { db in try PruneTable(db).lastReference() }
      // What was counted from a clock that ran ahead must not put pruning off for ever.
      if let last, last <= reference, reference < last + .seconds(86_400) { return }
      try prune(countedFrom: reference)
    } catch {
      logger.warning("history not pruned", metadata: ["reason": "\(error)"])
    }
  }

  private func reference() throws(JobError) -> Timestamp? {
    try database.read { db in try PruneTable(db).dateOfNewestJobs() }
  }

  /// Looks at the whole database: SQLite's own check, references between tables, and whether
  /// machines, commits and jobs decode.
  ///
  /// - Returns: a sentence for each thing that is wrong; none for a catalog in good order.
  /// - Throws: `JobError` if the disk is full or access was refused.
  public func check() throws(JobError) -> [String] {
    var problems: [String] = []
    // Each look by itself: what is wrong in one place must not hide what is wrong in another.
    for look in [lookAtPages, lookAtReferences, lookAtMachines, lookAtCommits, lookAtJobs] {
      do throws(JobError) {
        problems += try look()
      } catch {
        guard error.kind == .catalog else { throw error }
        problems.append(error.message)
      }
    }
    return problems
  }

  private func lookAtPages() throws(JobError) -> [String] {
    try database.read { db in
      try String.fetchAll(db, sql: "PRAGMA integrity_check").filter { $0 != "ok" }
    }
  }

  private func lookAtReferences() throws(JobError) -> [String] {
    try database.read { db in
      try Row.fetchAll(db, sql: "PRAGMA foreign_key_check").map { row in
        let table: String? = try row.optional("table")
        let parent: String? = try row.optional("parent")
        return "A row of \(table ?? "?") refers to a row of \(parent ?? "?") that is missing"
      }
    }
  }

  private func lookAtMachines() throws(JobError) -> [String] {
    _ = try machines()
    return []
  }

  private func lookAtCommits() throws(JobError) -> [String] {
    _ = try unsettledCommits() + unconfirmedCommits()
    return []
  }

  private func lookAtJobs() throws(JobError) -> [String] {
    _ = try history(subject: nil, allSubjects: true)
    return []
  }
}

extension Timestamp {
  static func + (moment: Timestamp, duration: Duration) -> Timestamp {
    let parts = duration.components
    let microseconds = parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
    let (sum, overflow) = moment.microseconds.addingReportingOverflow(microseconds)
    return Timestamp(microseconds: overflow ? (microseconds < 0 ? .min : .max) : sum)
  }

  static func - (moment: Timestamp, duration: Duration) -> Timestamp {
    moment + (.zero - duration)
  }
}
