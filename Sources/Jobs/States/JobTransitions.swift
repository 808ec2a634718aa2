/// Which status may follow which: QEMU's `JobSTT`, as data.
enum JobTransitions {
  /// The statuses that may follow one.
  static func successors(of status: JobStatus) -> Set<JobStatus> {
    switch status {
    case .undefined: [.created]
    case .created: [.running, .aborting, .null]
    case .running: [.paused, .ready, .waiting, .aborting]
    case .paused: [.running]
    case .ready: [.standby, .waiting, .aborting]
    case .standby: [.ready]
    case .waiting: [.pending, .aborting]
    case .pending: [.aborting, .concluded]
    case .aborting: [.aborting, .concluded]
    case .concluded: [.null]
    case .null: []
    }
  }

  /// Refuses a step that is not in the table.
  ///
  /// - Throws: ``JobError`` that names the job and both statuses.
  static func check(_ id: JobID, from old: JobStatus, to new: JobStatus) throws(JobError) {
    guard successors(of: old).contains(new) else {
      throw JobError(
        .general, "Job '\(id)' in state '\(old.rawValue)' cannot change to '\(new.rawValue)'")
    }
  }

  /// The legal steps from a status to `concluded` for a job whose work turned out to be done.
  ///
  /// - Parameter status: where the job is.
  /// - Returns: the statuses to be entered one after the other; empty if it is concluded already.
  static func stepsToSuccess(from status: JobStatus) -> [JobStatus] {
    switch status {
    case .undefined: [.created, .running, .waiting, .pending, .concluded]
    case .created: [.running, .waiting, .pending, .concluded]
    case .running, .ready: [.waiting, .pending, .concluded]
    case .paused: [.running, .waiting, .pending, .concluded]
    case .standby: [.ready, .waiting, .pending, .concluded]
    case .waiting: [.pending, .concluded]
    case .pending, .aborting: [.concluded]
    case .concluded, .null: []
    }
  }

  /// The legal steps from a status to `concluded`.
  ///
  /// - Parameters:
  ///   - status: where the job is.
  ///   - isFailed: whether it failed; a job that is not yet `pending` passes `aborting` in any case.
  /// - Returns: the statuses to be entered one after the other; empty if it is concluded already.
  static func stepsToConclusion(from status: JobStatus, isFailed: Bool) -> [JobStatus] {
    switch status {
    case .undefined: [.created, .aborting, .concluded]
    case .created, .running, .ready, .waiting: [.aborting, .concluded]
    case .paused: [.running, .aborting, .concluded]
    case .standby: [.ready, .aborting, .concluded]
    case .pending: isFailed ? [.aborting, .concluded] : [.concluded]
    case .aborting: [.concluded]
    case .concluded, .null: []
    }
  }
}
