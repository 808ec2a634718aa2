/// What one job does: the half of it that comes before the commit point.
public protocol JobWork: Sendable {
  /// Does all the work that can still be undone (status `running`).
  ///
  /// Runs on a thread of its own and may block. Calls ``JobControl/checkpoint()`` at least every
  /// 50 ms, from which a pause is served and a cancellation thrown.
  ///
  /// - Parameter control: progress, pausing and cancelling.
  /// - Returns: what it prepared.
  /// - Throws: the reason why the job fails; everything it had begun is undone by then.
  func prepare(_ control: JobControl) throws -> any PreparedWork
}

/// What a job holds between its `prepare` and the end of its transaction.
public protocol PreparedWork: Sendable {
  /// Undoes everything; called once, before the commit point, instead of ``finish()``.
  ///
  /// - Throws: why the undoing is incomplete; the job's error then says so.
  func undo() throws

  /// Called once after the commit is done: gives back space and locks.
  ///
  /// - Returns: the job's `result`, JSON that this module does not read.
  func finish() throws -> String?

  /// Called instead of ``undo()`` and ``finish()`` when a commit could not be brought to its end:
  /// lets go of locks and changes nothing; recovery decides later.
  func abandon()
}

/// What makes the prepared work of a transaction permanent.
public protocol Committer: Sendable {
  /// Commits everything that the jobs of one transaction have prepared, or nothing.
  ///
  /// Runs on a thread of its own and may block. Progress is not paused or cancelled here. The jobs
  /// come in the order in which they were requested; they conclude in the opposite one.
  func commit(_ members: [CommitMember]) -> CommitOutcome
}

/// One job of a transaction at its commit.
public struct CommitMember: Sendable {
  /// The job.
  public let id: JobID
  /// What it prepared.
  public let work: any PreparedWork

  /// Makes a member.
  public init(id: JobID, work: any PreparedWork) {
    self.id = id
    self.work = work
  }
}

/// How a commit ended.
public enum CommitOutcome: Sendable {
  /// Everything is permanent: the jobs conclude well.
  case committed
  /// The commit point was not reached: the jobs are undone and conclude with this error.
  case notCommitted(JobError)
  /// The commit point was not reached, or recovery has taken everything back, and there is nothing
  /// left to undo: the jobs conclude with this error.
  case takenBack(JobError)
  /// The commit point may have been passed and the rest failed: the jobs stay `pending`, and
  /// recovery decides.
  case unresolved(JobError)
}
