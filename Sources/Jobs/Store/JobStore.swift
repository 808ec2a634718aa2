/// Where jobs are kept; the framework's only memory between processes.
///
/// Calls are synchronous and short. They come from several threads. A store belongs to one worker
/// (this process); jobs of other processes are seen through it as well.
public protocol JobStore: Sendable {
  /// Enters new jobs of one transaction with status `created`, all or none, and records that status.
  ///
  /// - Returns: the records as they are stored, with their numbers and that of the transaction.
  /// - Throws: ``JobError``: `Job ID '<id>' already in use` (conflict), a subject that is busy with
  ///   another job that is not concluded (in use, naming that job), or the catalog's own failure.
  func insert(_ jobs: [JobRecord]) throws(JobError) -> [JobRecord]

  /// Records status changes of one job with their time, in order, all or none, and everything of the records
  /// that changes with them (progress, error, result, started, concluded). The `worker` is the store's own and
  /// not read.
  ///
  /// The records' number says which job is meant; its name may be another job's by now. A record with the status
  /// that is stored already changes the rest and adds no status change.
  /// The change to `concluded` is durable when this returns. The change to `null` takes the job
  /// out of `query-jobs` and leaves it in the history.
  func record(_ steps: [JobRecord], at time: Timestamp) throws(JobError)

  /// Records progress alone, of the job of a number; may be lost.
  func recordProgress(_ progress: JobProgress, of number: Int64) throws(JobError)

  /// One job that is not dismissed, of whatever process; nil if there is none.
  func job(_ id: JobID) throws(JobError) -> JobRecord?

  /// All jobs that are not dismissed, newest first.
  func jobs() throws(JobError) -> [JobRecord]

  /// Leaves a verb for the process that runs the job of a number.
  ///
  /// - Returns: the request's number, for ``answer(to:)``.
  func request(_ verb: JobVerb, of number: Int64) throws(JobError) -> Int64

  /// The outcome of a request: nil while it is open, else the error text or success.
  func answer(to request: Int64) throws(JobError) -> VerbAnswer?

  /// Takes back a request that no worker has taken up: nobody will act on it.
  ///
  /// - Returns: whether it was; else it was taken up, and has or will get an answer.
  func withdraw(_ request: Int64) throws(JobError) -> Bool

  /// Takes up a request, which cannot be withdrawn from then on; to be called before anything is done about
  /// it. Taking up what was taken up already is right.
  ///
  /// - Returns: false if it was withdrawn.
  func takeUp(_ request: Int64) throws(JobError) -> Bool

  /// Requests for this worker's jobs that have no answer yet, oldest first.
  func openRequests() throws(JobError) -> [VerbRequest]

  /// Answers a request.
  func answer(_ request: Int64, with answer: VerbAnswer) throws(JobError)

  /// Whether every later call throws: nobody looks for news there any more.
  var isClosed: Bool { get }

  /// A number that changes whenever another process (or connection) has written; cheap to ask.
  func changeCounter() throws(JobError) -> Int64

  /// Status changes of all processes' jobs with a number above `last`, in order, with their
  /// numbers; for those who follow jobs.
  func events(after last: Int64) throws(JobError) -> [(number: Int64, event: JobEvent)]

  /// The number of the newest status change; 0 if there is none.
  func lastEventNumber() throws(JobError) -> Int64
}

/// A verb that another process asks of a job.
public struct VerbRequest: Sendable, Hashable {
  /// The request's number.
  public let number: Int64
  /// The number of the job meant.
  public let job: Int64
  /// Its name.
  public let id: JobID
  /// What is asked.
  public let verb: JobVerb

  /// Makes a request.
  public init(number: Int64, job: Int64, id: JobID, verb: JobVerb) {
    self.number = number
    self.job = job
    self.id = id
    self.verb = verb
  }
}

/// What became of a verb request.
public enum VerbAnswer: Sendable, Hashable {
  /// Accepted.
  case accepted
  /// Refused with this error.
  case refused(JobError)

  /// Throws the error of a refusal.
  func get() throws(JobError) {
    if case .refused(let error) = self { throw error }
  }
}
