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
  /// lets go of locks and changes nothing; recovery brings it to its end.
  func abandon()
}

/// What makes the prepared work of a transaction permanent.
public protocol Committer: Sendable {
  /// Notes durably what a commit will change, so that whatever is begun afterwards can be taken back or
  /// finished by somebody else.
  ///
  /// Runs on a thread of its own and may block. The jobs come in the order in which they were requested; they
  /// conclude in the opposite one.
  ///
  /// - Parameters:
  ///   - members: everything that the jobs of one transaction have prepared.
  ///   - waits: whether somebody will have to finalize the transaction.
  /// - Returns: the commit, which goes one way or the other.
  /// - Throws: ``JobError``; nothing has happened then, and the members' work is undone.
  func announce(
    _ members: [CommitMember], waits: Bool
  ) throws(JobError) -> any AnnouncedCommit
}

/// A commit that is noted durably and not begun.
public protocol AnnouncedCommit: Sendable {
  /// Commits everything, or nothing. Progress is not paused or cancelled here.
  func commit() -> CommitOutcome

  /// Notes durably that the commit does not happen; called once, instead of ``commit()``, while the members' work
  /// still holds its locks.
  func cancel()
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
  /// Nothing has happened: the members' work is undone and the jobs conclude with this error.
  case rolledBack(JobError)
  /// The commit point may have been passed and the rest failed: the jobs stay `pending`, and
  /// recovery brings them to their end.
  case inDoubt(JobError)
}
