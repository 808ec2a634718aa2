/// Where a job is in its life, in QEMU's words (`JobStatus` of qapi/job.json).
///
/// The corresponding QMP member is `status` of `query-jobs` and of `JOB_STATUS_CHANGE`.
public enum JobStatus: String, Sendable, Hashable, CaseIterable, Codable {
  /// Before creation; never reported.
  case undefined
  /// The job exists, its work has not started.
  case created
  /// Its work is being done.
  case running
  /// It was running and now rests at a checkpoint.
  case paused
  /// It has converged and waits for `job-complete`.
  case ready
  /// It was ready and now rests at a checkpoint.
  case standby
  /// Its own work is done; others of its transaction are not.
  case waiting
  /// The whole transaction has prepared; the commit is outstanding.
  case pending
  /// It failed or was cancelled and is being undone.
  case aborting
  /// Finished, well or not; kept until dismissed.
  case concluded
  /// Being forgotten; seen in events only, never in `query-jobs`.
  case null
}
