public import Jobs
public import QMP

extension QMPError {
  /// A failure of jobs, images or the catalog as QMP tells it.
  ///
  /// All of them are of class `GenericError`, as in QEMU for these commands.
  public init(_ error: JobError) {
    self.init(.genericError, error.message, kind: error.kind.rawValue)
  }

  /// Whatever a command's handler threw.
  init(thrown error: any Error) {
    switch error {
    case let error as QMPError: self = error
    case let error as JobError: self.init(error)
    case is CancellationError:
      self.init(JobError(.cancelled, "The command was given up before it had an answer"))
    default: self.init(JobError(.general, "\(error)"))
    }
  }

  /// The same error with a kind of failure, where it has none.
  func withKind(_ kind: FailureKind) -> QMPError {
    QMPError(errorClass, desc, kind: self.kind ?? kind.rawValue)
  }
}
