public import Jobs
public import Qcow2

/// Where commits are noted.
public protocol CommitLog: Sendable {
  /// The catalog's own id, which its images carry.
  var catalogID: CatalogID { get }

  /// The catalog's path, for messages.
  var catalogPath: String { get }

  // MARK: A worker's way

  /// Enters an intent durably.
  ///
  /// - Returns: the claim that keeps recovery away from the commit, as long as it is kept.
  /// - Throws: `JobError`; the intent may be there all the same, which harms nobody.
  func writeIntent(_ intent: CommitIntent) throws(JobError) -> CommitClaim

  /// Enters a decision durably, unless one is there.
  ///
  /// - Returns: the decision that stands there now.
  /// - Throws: ``CommitLogError``, which says whether it may be there all the same.
  func decide(
    _ decision: CommitDecision, _ id: CommitID
  ) throws(CommitLogError) -> CommitDecision

  /// Enters that nothing is left to do; what nobody decided is decided by it.
  ///
  /// - Parameters:
  ///   - id: the commit.
  ///   - settlement: what to enter.
  /// - Throws: `JobError`; the commit is not settled then.
  func settle(_ id: CommitID, _ settlement: CommitSettlement) throws(JobError)

  // MARK: Recovery's way

  /// The commits that are not settled, oldest first.
  func unsettledCommits() throws(JobError) -> [CommitRow]

  /// The settled commits with members that nobody has confirmed, oldest first.
  func unconfirmedCommits() throws(JobError) -> [CommitRow]

  /// A commit, settled or not; nil if this catalog has none of that id.
  func commit(_ id: CommitID) throws(JobError) -> CommitRow?

  /// Takes the lock of a commit beside other recoveries.
  ///
  /// - Returns: nil while the process that made it lives and is at it.
  func claim(_ id: CommitID) throws(JobError) -> CommitClaim?

  /// Makes durable whatever is committed, whatever became of earlier fsyncs: a complete checkpoint.
  ///
  /// - Throws: `JobError`, in use if somebody reads an older state of the catalog for too long.
  func makeDecisionsDurable() throws(JobError)

  /// Notes members that were brought to what was decided, of a commit that is not settled yet.
  func confirm(_ members: Set<Int>, of id: CommitID) throws(JobError)

  /// What became of the newest commit that names a job (the one of this id that is not dismissed).
  func outcome(ofJob job: JobID) throws(JobError) -> CommitJobOutcome

  // MARK: Images of earlier versions

  /// The paths of images that may have the marker bit of an earlier snapjob.
  func imagesToClean() throws(JobError) -> [String]

  /// Notes that an image was seen without it.
  func noteClean(_ path: String) throws(JobError)

  // MARK: Device states of stored machines

  /// The directory for device states that wait for the next save; it is made when it is needed.
  var stagedStateDirectory: String { get }

  /// What was noted of images.
  ///
  /// - Parameter commits: the ids of the commits that the images carry as their last.
  /// - Returns: the notes that there are; nothing of commits that no state goes with.
  /// - Throws: `JobError` if the catalog cannot be read.
  func deviceStates(of commits: [CommitID]) throws(JobError) -> [CommitID: CommitNotes]

  /// Notes what the files of images look like that a state which waits goes with; where a note says something else
  /// than it is expected to, it stays.
  func note(_ stamps: [StagedStateStamp]) throws(JobError)
}

/// The end of a commit as it is entered.
public struct CommitSettlement: Sendable, Hashable {
  /// What was decided.
  public let decision: CommitDecision
  /// The members that were brought to it durably.
  public let confirmed: Set<Int>
  /// Why the jobs have failed; nil if they are done.
  public let note: String?
  /// Whether it has to survive a power failure by itself; not where a job's conclusion follows, which takes it
  /// along.
  public let isDurable: Bool
  /// Which snapshots the images have now, as far as that is known.
  public let contents: [ImageContent]

  /// Makes a settlement.
  public init(
    _ decision: CommitDecision, confirmed: Set<Int>, note: String? = nil, isDurable: Bool,
    contents: [ImageContent] = []
  ) {
    self.decision = decision
    self.confirmed = confirmed
    self.note = note
    self.isDurable = isDurable
    self.contents = contents
  }
}

/// A failure to enter a decision.
public struct CommitLogError: Error, Sendable {
  /// What went wrong.
  public let error: JobError
  /// Whether the decision may be there all the same.
  public let isAmbiguous: Bool

  /// Makes an error.
  public init(_ error: JobError, isAmbiguous: Bool) {
    self.error = error
    self.isAmbiguous = isAmbiguous
  }
}

/// What became of the commit of a job.
public enum CommitJobOutcome: Sendable, Hashable {
  /// There is none: it was not reached.
  case none
  /// It is not settled.
  case open
  /// Everything that it stands for is permanent.
  case done
  /// It was settled without that, for this reason.
  case failed(note: String)
}
