/// What a job's work calls while it runs: progress, pausing and cancelling.
public final class JobControl: Sendable {
  /// Serves a pause (blocks until resumed) and a cancellation.
  ///
  /// - Throws: ``JobError/operationCanceled`` when the job was cancelled.
  public func checkpoint() throws(JobError) {}

  /// Adds to the bytes foreseen.
  public func foresee(_ bytes: Int64) {}

  /// Adds to the bytes done, and passes a checkpoint.
  public func advance(_ bytes: Int64) throws(JobError) {}

  init() {}
}
