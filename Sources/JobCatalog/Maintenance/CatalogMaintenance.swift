import Foundation
import GRDB
public import Jobs

/// What pruning did.
public struct PruneReport: Sendable, Hashable {
  /// Concluded jobs that were moved to the history.
  public let dismissed: Int
  /// Jobs that were deleted from the history.
  public let deleted: Int
}

extension Catalog {
  /// How long a concluded job stays in `query-jobs` if nobody dismisses it.
  public static let concludedRetention = Duration.seconds(7 * 86_400)

  /// How long a dismissed job stays in the history after its conclusion.
  public static let historyRetention = Duration.seconds(400 * 86_400)

  /// Dismisses jobs that concluded more than 7 days ago and deletes history more than 400 days old.
  ///
  /// Jobs with a commit that is not settled stay where they are. Commits go with the history, but for those with
  /// an image that was away or in use: these are kept, because it may turn up later.
  ///
  /// - Parameter now: the time to count from; nil for the clock's.
  /// - Returns: how many jobs were moved and deleted.
  /// - Throws: `JobError`; nothing is changed then.
  @discardableResult
  public func prune(now: Timestamp? = nil) throws(JobError) -> PruneReport {
    let now = now ?? Clock.now()
    let candidates = try database.read { db in try PruneTable(db).idleWorkers() }
    let dead = candidates.filter { !workers.isAlive($0) }.map(\.number)
    return try database.write { db in
      try PruneTable(db).prune(
        now: now, concludedBefore: now - Self.concludedRetention,
        historyBefore: now - Self.historyRetention, deadWorkers: dead)
    }
  }

  /// Prunes if that was last done a day ago, or never.
  func pruneIfDue(now: Timestamp) throws(JobError) {
    let last = try database.read { db in try PruneTable(db).lastTime() }
    // A clock that was set back must not put pruning off for ever.
    if let last, last <= now, now < last + .seconds(86_400) { return }
    try prune(now: now)
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

  /// Copies the catalog, as it is in one instant, into a new file (0600) while others go on using
  /// it.
  ///
  /// - Throws: `JobError`: a conflict if the file exists, or what went wrong; no file is left
  ///   behind then.
  public func backup(to path: String) throws(JobError) {
    let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
    guard FileManager.default.fileExists(atPath: directory) else {
      throw JobError(.notFound, "\(path): there is no directory \(directory); choose another FILE")
    }
    try database.copy(to: path)
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
