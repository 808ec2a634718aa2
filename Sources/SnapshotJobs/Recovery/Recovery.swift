public import Jobs

/// Decides what becomes of commit records that are not done and of jobs whose process has ended.
public struct Recovery: Sendable {
  /// What became, or would become, of one job or record.
  public struct Finding: Sendable, Hashable {
    /// The jobs concerned.
    public let jobs: [JobID]
    /// What happened, as a sentence.
    public let outcome: String
    /// Each image and the state it is in.
    public let images: [String]
    /// Whether it is settled; what is not keeps its images from being changed.
    public let isResolved: Bool
    /// The failure that a changing command on these images meets while it is not settled.
    public let obstacle: JobError?
  }

  /// How to treat a record that cannot be settled by itself.
  public enum Force: String, Sendable { case forward, abandon }

  private let log: any CommitLog
  private let runner: JobRunner

  /// Makes a recovery over a catalog's records and jobs.
  public init(log: any CommitLog, runner: JobRunner) {
    self.log = log
    self.runner = runner
  }

  /// Settles what can be settled. Runs at every start and as `recover`.
  ///
  /// - Parameters:
  ///   - dryRun: only say what would happen.
  ///   - job: only this job's record.
  ///   - force: what to do with a record that cannot be settled by itself.
  public func run(dryRun: Bool = false, job: JobID? = nil, force: Force? = nil)
    throws(JobError) -> [Finding]
  {
    []
  }

  /// Removes the fence of one image that no open record here names.
  public func removeFence(path: String) throws(JobError) -> Finding {
    throw JobError(.general, "not built")
  }
}
