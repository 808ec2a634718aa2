/// Which verb is accepted in which status: QEMU's `JobVerbTable`, as data.
enum JobPermissions {
  /// The statuses in which a verb is accepted.
  static func statuses(accepting verb: JobVerb) -> Set<JobStatus> {
    switch verb {
    case .cancel: [.created, .running, .paused, .ready, .standby, .waiting, .pending]
    case .pause, .resume, .setSpeed, .change: [.created, .running, .paused, .ready, .standby]
    case .complete: [.ready, .standby]
    case .finalize: [.pending]
    case .dismiss: [.concluded]
    }
  }

  /// Refuses a verb that the status does not accept.
  ///
  /// - Throws: ``JobError`` with QEMU's text.
  static func check(_ verb: JobVerb, of id: JobID, in status: JobStatus) throws(JobError) {
    guard statuses(accepting: verb).contains(status) else {
      throw .refused(verb, of: id, in: status)
    }
  }
}
