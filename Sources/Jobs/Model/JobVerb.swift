/// What a client may ask of a job (`JobVerb` of qapi/job.json).
///
/// The corresponding QMP commands are `job-cancel`, `job-pause` and so on.
public enum JobVerb: String, Sendable, Hashable, CaseIterable, Codable {
  /// Undo everything and conclude with an error.
  case cancel
  /// Stop at the next checkpoint.
  case pause
  /// Go on after a pause.
  case resume
  /// Limit the work's speed.
  case setSpeed = "set-speed"
  /// Finish a job that is ready.
  case complete
  /// Forget a concluded job.
  case dismiss
  /// Commit a pending transaction.
  case finalize
  /// Change options of a running job.
  case change
}
