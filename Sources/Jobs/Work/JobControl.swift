/// What a job's work calls while it runs: progress, pausing and cancelling.
///
/// All calls are synchronous, may block, and may come from several threads of the job at once.
public final class JobControl: Sendable {
  private let meter: ProgressMeter
  private let job: Job?

  init(job: Job) {
    self.job = job
    meter = job.meter
  }

  /// Makes a control that belongs to no job: it counts, and nobody pauses or cancels it.
  public init() {
    job = nil
    meter = ProgressMeter()
  }

  /// Serves a pause (blocks until resumed) and a cancellation.
  ///
  /// - Throws: ``JobError/operationCanceled`` when the job was cancelled, and the store's failure
  ///   when a pause cannot be recorded.
  public func checkpoint() throws(JobError) { try job?.checkpoint() }

  /// Adds to the bytes foreseen.
  public func foresee(_ bytes: Int64) {
    meter.foresee(bytes)
    job?.storeProgressIfDue()
  }

  /// Adds to the bytes done, keeps to the job's speed limit, and passes a checkpoint.
  ///
  /// - Throws: as ``checkpoint()``; the bytes are counted then as well.
  public func advance(_ bytes: Int64) throws(JobError) {
    meter.advance(bytes)
    try job?.advance(bytes)
  }

  /// The bytes done and foreseen so far.
  public var progress: JobProgress { meter.progress }

  /// Tells that the work has converged and could be completed: `running` becomes `ready`.
  ///
  /// From then on `job-complete` is accepted. Does nothing if the job is ready already.
  public func becomeReady() throws(JobError) { try job?.becomeReady() }

  /// Rests until a ready job is told to complete; serves pauses and a cancellation meanwhile.
  public func awaitCompletion() throws(JobError) { try job?.awaitCompletion() }
}
