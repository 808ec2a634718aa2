/// The refusals of the job commands, in QEMU's words.
extension JobError {
  /// There is no job of that name.
  public static let jobNotFound = JobError(.notFound, "Job not found")

  /// The name is taken by a job that is not dismissed.
  public static func jobIDInUse(_ id: JobID) -> JobError {
    JobError(.conflict, "Job ID '\(id)' already in use")
  }

  /// The job's status does not accept the verb.
  static func refused(_ verb: JobVerb, of id: JobID, in status: JobStatus) -> JobError {
    JobError(
      .conflict,
      "Job '\(id)' in state '\(status.rawValue)' cannot accept command verb '\(verb.rawValue)'")
  }

  /// A pause of a job that the user has paused.
  static let alreadyPaused = JobError(.conflict, "Job is already paused")

  /// A resume of a job that the user has not paused.
  static let notPaused = JobError(.conflict, "Can't resume a job that was not paused")

  /// A job that is ready but cannot be completed (any more).
  static func cannotComplete(_ id: JobID) -> JobError {
    JobError(.conflict, "The active block job '\(id)' cannot be completed")
  }

  /// No job has options that change while it runs.
  static let cannotChange = JobError(.general, "Job type does not support change")

  /// A speed below zero.
  static let negativeSpeed = JobError(
    .usage, "Parameter 'speed' expects a non-negative value")

  /// A `set-speed` that carries no speed.
  static func speedMissing(_ id: JobID) -> JobError {
    JobError(.usage, "The speed of job '\(id)' can be set only by the process that runs it")
  }

  /// A job whose process has ended before the job has.
  static func orphaned(_ id: JobID, _ worker: WorkerInfo?) -> JobError {
    let process = worker.map { "process \($0.pid), which" } ?? "a process that"
    return JobError(
      .conflict, "Job '\(id)' belongs to \(process) has ended; \(NextStep("recover")) settles it")
  }

  /// A job whose process does not look at what it is asked.
  static func unanswered(_ verb: JobVerb, _ id: JobID, _ worker: WorkerInfo?) -> JobError {
    JobError(
      .timeout,
      "\(process(worker)), to which job '\(id)' belongs, has not answered; the request to \(verb.rawValue) it "
        + "is withdrawn and will have no effect. A process that is stopped goes on with: "
        + "kill -CONT\(worker.map { " \($0.pid)" } ?? "")")
  }

  /// A job whose process has begun with what it was asked and is not done.
  static func unfinished(_ verb: JobVerb, _ id: JobID, _ worker: WorkerInfo?) -> JobError {
    JobError(
      .timeout,
      "\(process(worker)) has begun to \(verb.rawValue) job '\(id)' and is not done. See: "
        + "\(NextStep(["job", "show", id.description]))")
  }

  private static func process(_ worker: WorkerInfo?) -> String {
    worker.map { "process \($0.pid)" } ?? "a process"
  }

  /// A pending job whose commit did not come to its end, where nobody can try again.
  static func inDoubt(_ id: JobID, _ cause: JobError?) -> JobError {
    let reason = cause.map { ": \($0.message)" } ?? ""
    return JobError(
      cause?.kind ?? .conflict,
      "The commit of job '\(id)' is not finished\(reason); \(NextStep("recover")) finishes it")
  }
}
