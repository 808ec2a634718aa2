/// Work done and work foreseen, in bytes; the foreseen amount may move either way.
public struct JobProgress: Sendable, Hashable, Codable {
  /// Bytes done.
  public var current: Int64
  /// Bytes done and to do.
  public var total: Int64

  /// Makes a progress value.
  public init(current: Int64 = 0, total: Int64 = 0) {
    self.current = current
    self.total = total
  }
}

/// What `query-jobs` tells of one job (`JobInfo` of qapi/job.json).
public struct JobInfo: Sendable, Hashable {
  /// The job's name.
  public let id: JobID
  /// What it does: `snapshot-save` and so on.
  public let type: String
  /// Where it is.
  public let status: JobStatus
  /// Bytes done and to do.
  public let progress: JobProgress
  /// Why it failed; nil while it has not.
  public let error: JobError?

  /// Makes a description.
  public init(
    id: JobID, type: String, status: JobStatus, progress: JobProgress, error: JobError?
  ) {
    self.id = id
    self.type = type
    self.status = status
    self.progress = progress
    self.error = error
  }
}

/// One transition, as `JOB_STATUS_CHANGE` reports it.
public struct JobEvent: Sendable, Hashable {
  /// The job.
  public let id: JobID
  /// Its new status.
  public let status: JobStatus
  /// When it changed.
  public let time: Timestamp

  /// Makes an event.
  public init(id: JobID, status: JobStatus, time: Timestamp) {
    self.id = id
    self.status = status
    self.time = time
  }
}
