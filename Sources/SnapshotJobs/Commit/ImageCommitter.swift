public import Jobs

/// Commits prepared images: commit record, fence, publish, done.
public struct ImageCommitter: Committer {
  private let log: any CommitLog

  /// Makes a committer that writes its records here.
  public init(log: any CommitLog) { self.log = log }

  /// Commits what the jobs of one transaction have prepared.
  public func commit(_ members: [CommitMember]) -> CommitOutcome {
    .notCommitted(JobError(.general, "not built"))
  }
}
