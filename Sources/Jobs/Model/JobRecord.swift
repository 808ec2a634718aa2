/// Everything the catalog keeps of one job.
public struct JobRecord: Sendable, Hashable {
  /// The store's number of it; 0 before it is stored. A name can be taken again after a dismissal, a number never
  /// is.
  public var number: Int64 = 0
  /// The job's name; unique among the jobs that are not dismissed.
  public let id: JobID
  /// What it does: `snapshot-save` and so on.
  public let type: String
  /// The name of what it works on (a machine); at most one job that is not concluded has it.
  /// Nil for a job that excludes nobody by name.
  public let subject: String?
  /// Jobs of one transaction share this number; the store gives it.
  public var transaction: Int64
  /// Whether the transaction commits by itself once all have prepared.
  public let autoFinalize: Bool
  /// Whether the job is forgotten by itself once concluded.
  public let autoDismiss: Bool
  /// The user's remark.
  public let note: String?
  /// What the job was asked to do: JSON that this module does not read.
  public let arguments: String
  /// What it did: JSON that this module does not read; nil before the conclusion.
  public var result: String?
  /// Where it is.
  public var status: JobStatus
  /// Bytes done and to do.
  public var progress: JobProgress
  /// Why it failed; of a pending job, why its commit is not decided.
  public var error: JobError?
  /// When it was created.
  public var created: Timestamp
  /// When its work started.
  public var started: Timestamp?
  /// When it concluded.
  public var concluded: Timestamp?
  /// The process it belongs to; nil once that has been cleaned away.
  public var worker: WorkerInfo?

  /// Makes a record of a job that is about to be created.
  public init(
    id: JobID, type: String, subject: String?, autoFinalize: Bool, autoDismiss: Bool,
    note: String?, arguments: String, created: Timestamp
  ) {
    self.id = id
    self.type = type
    self.subject = subject
    self.transaction = 0
    self.autoFinalize = autoFinalize
    self.autoDismiss = autoDismiss
    self.note = note
    self.arguments = arguments
    self.result = nil
    self.status = .undefined
    self.progress = JobProgress()
    self.error = nil
    self.created = created
    self.started = nil
    self.concluded = nil
    self.worker = nil
  }

  /// The part of it that `query-jobs` tells.
  public var info: JobInfo {
    JobInfo(id: id, type: type, status: status, progress: progress, error: error)
  }
}

/// The process that runs a job.
public struct WorkerInfo: Sendable, Hashable {
  /// The store's number of it.
  public let id: Int64
  /// Process id.
  public let pid: Int32
  /// User id.
  public let uid: UInt32
  /// Whether it still holds its lock file.
  public let isAlive: Bool

  /// Makes a description of a worker.
  public init(id: Int64, pid: Int32, uid: UInt32, isAlive: Bool) {
    self.id = id
    self.pid = pid
    self.uid = uid
    self.isAlive = isAlive
  }
}
