public import Jobs
public import Qcow2

/// What a commit is about to change, with all that anybody needs who finishes it or takes it back.
public struct CommitIntent: Sendable, Hashable {
  /// One image that the commit changes.
  public struct Member: Sendable, Hashable {
    /// The node's name; a label for messages.
    public let node: String
    /// The absolute path under which the image was opened.
    public let path: String
    /// The first sectors.
    public let sectors: CommitSectors
    /// The device state that the guest's data go with from this commit on; nil for none. Written with the
    /// intent; an intent that is read back has none.
    public let deviceState: DeviceStateNote?
    /// The job that changes the image; nil for a command without a job, and for an intent that is read back.
    public let job: JobID?
    /// The snapshots that the commit makes in the image. Written with the intent; one that is read back has none.
    public let madeSnapshots: [SnapshotKey]
    /// Which file the image is; nil for an intent that is read back.
    public let identity: FileIdentity?

    /// Makes a member.
    public init(
      node: String, path: String, sectors: CommitSectors, deviceState: DeviceStateNote? = nil,
      job: JobID? = nil, madeSnapshots: [SnapshotKey] = [], identity: FileIdentity? = nil
    ) {
      self.node = node
      self.path = path
      self.sectors = sectors
      self.deviceState = deviceState
      self.job = job
      self.madeSnapshots = madeSnapshots
      self.identity = identity
    }
  }

  /// Written into every image.
  public let id: CommitID
  /// The jobs that it concludes, in the order of their transaction; none for a command without a job.
  public let jobs: [JobID]
  /// When it was written.
  public let created: Timestamp
  /// The images, at least one.
  public let members: [Member]

  /// Makes an intent.
  public init(id: CommitID, jobs: [JobID], created: Timestamp, members: [Member]) {
    self.id = id
    self.jobs = jobs
    self.created = created
    self.members = members
  }
}

/// What the catalog says of a commit.
public enum CommitDecision: String, Sendable, Hashable, CaseIterable {
  /// It happens.
  case record
  /// It does not.
  case undone
  /// Of one image alone, to which others have done more since: nobody can tell any more.
  case unknown
}

/// A commit as the catalog has it.
public struct CommitRow: Sendable, Hashable {
  /// What it is about.
  public let intent: CommitIntent
  /// What was decided; nil for an intent alone.
  public let decision: CommitDecision?
  /// Whether nothing is left to do but what turns up later.
  public let isSettled: Bool
  /// For each member whether its sector was written and made durable after the decision.
  public let isConfirmed: [Bool]
  /// The process that made it.
  public let workerPID: Int32
  /// The numbers of its jobs, whose names may be other jobs' by now.
  public let jobNumbers: [JobID: Int64]

  /// Makes a row.
  public init(
    intent: CommitIntent, decision: CommitDecision?, isSettled: Bool, isConfirmed: [Bool],
    workerPID: Int32, jobNumbers: [JobID: Int64] = [:]
  ) {
    self.intent = intent
    self.decision = decision
    self.isSettled = isSettled
    self.isConfirmed = isConfirmed
    self.workerPID = workerPID
    self.jobNumbers = jobNumbers
  }

  /// Whether all of it is over.
  var isFinished: Bool { isSettled && isConfirmed.allSatisfy(\.self) }
}

/// The lock by which a process shows that it is at a commit, or that others may be sure it is not.
public final class CommitClaim: Sendable {
  private let onRelease: @Sendable () -> Void

  /// Makes a claim.
  ///
  /// - Parameter onRelease: lets go of the lock; called once.
  public init(onRelease: @escaping @Sendable () -> Void) { self.onRelease = onRelease }

  deinit { onRelease() }
}
