public import Jobs

/// What is remembered of jobs beyond `JobStore`: the dismissed ones, and each status change.
///
/// Calls are synchronous and short.
public protocol JobHistory: Sendable {
  /// All jobs, dismissed or not, newest first. A dismissed job has the status `concluded` (or
  /// `null` if it never ran).
  ///
  /// - Parameters:
  ///   - subject: only jobs on this machine; nil for those that name none.
  ///   - allSubjects: jobs on whatever machine; `subject` is not looked at then.
  ///   - id: only jobs of this id; several can have had it one after the other.
  /// - Returns: the jobs as the catalog has them.
  /// - Throws: `JobError` if the catalog cannot be read.
  func history(
    subject: String?, allSubjects: Bool, id: JobID?
  ) throws(JobError) -> [JobRecord]

  /// The status changes of the newest job of this id, oldest first.
  ///
  /// - Throws: `JobError` with QEMU's text `Job not found` if there never was one.
  func statusLog(of id: JobID) throws(JobError) -> [(status: JobStatus, time: Timestamp)]
}

/// The care of the catalog as a whole.
public protocol CatalogMaintenance: Sendable {
  /// The catalog's absolute path.
  var path: String { get }

  /// Whether a file is the catalog's: itself, its log and index, or a lock of its processes.
  ///
  /// - Parameter path: absolute. Nothing is opened.
  /// - Returns: whether it is.
  func owns(_ path: String) -> Bool

  /// Looks at the whole catalog.
  ///
  /// - Returns: a sentence for each thing that is wrong.
  func check() throws(JobError) -> [String]

  /// Copies the catalog, as it is in one instant, into a new file.
  func backup(to path: String) throws(JobError)

  /// Dismisses and forgets what is older than the catalog keeps.
  ///
  /// - Returns: how many jobs were moved to the history, and how many deleted from it.
  func prune() throws(JobError) -> (dismissed: Int, deleted: Int)
}
