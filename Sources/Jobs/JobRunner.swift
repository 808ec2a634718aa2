/// Runs jobs: the only writer of a status and the only emitter of its event.
///
/// One runner is one worker: the jobs that it starts belong to this process. Verbs for other
/// processes' jobs are passed on through the store.
public final class JobRunner: Sendable {
  /// One job to be started.
  public struct Request: Sendable {
    /// What the store is to keep.
    public let record: JobRecord
    /// What it does.
    public let work: any JobWork

    /// Makes a request.
    public init(record: JobRecord, work: any JobWork) {
      self.record = record
      self.work = work
    }
  }

  private let store: any JobStore

  /// Makes a runner.
  public init(store: any JobStore, committer: any Committer) { self.store = store }

  /// Creates and starts the jobs of one transaction; returns when all are `created`.
  ///
  /// - Throws: ``JobError`` if one cannot be created; none is then, and no event is emitted.
  public func start(_ requests: [Request]) throws(JobError) {}

  /// All jobs that are not dismissed, of all processes, newest first.
  public func jobs() throws(JobError) -> [JobRecord] { try store.jobs() }

  /// Asks something of a job of whatever process.
  ///
  /// - Throws: ``JobError`` with QEMU's texts (`Job not found`, …).
  public func apply(_ verb: JobVerb, to id: JobID) async throws(JobError) {}

  /// The status changes of all processes' jobs from now on.
  public func events() -> AsyncStream<JobEvent> { AsyncStream { $0.finish() } }

  /// Waits until a job of whatever process has concluded (or is `pending` and waits for a finalize,
  /// if that is asked for) and returns its record; the last known one if it has been dismissed.
  public func wait(for id: JobID, orPending: Bool = false) async throws(JobError) -> JobRecord {
    throw JobError(.notFound, "Job not found")
  }

  /// Concludes a job whose process has ended, without touching what it worked on.
  ///
  /// A job that is not `pending` passes `aborting`; a pending one concludes as it stands.
  ///
  /// - Parameter error: why it failed; nil if recovery found it done.
  public func conclude(orphan id: JobID, error: JobError?, result: String?) throws(JobError) {}
}
