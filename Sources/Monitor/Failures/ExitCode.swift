public import Jobs

/// The exit codes of the command line, as far as they tell how a job or a verb ended.
public enum ExitCode: Int32, Sendable, Hashable, CaseIterable {
  /// Done.
  case done = 0
  /// Failed for a reason that has no code of its own.
  case failed = 1
  /// Node, job, machine, file or tag not found.
  case notFound = 4
  /// A conflict that trying again does not solve.
  case conflict = 5
  /// Held by another program or job.
  case inUse = 6
  /// A time limit passed.
  case timeout = 7
  /// The other side cannot be reached.
  case connection = 8
  /// Content refused: malformed, unsupported or over a limit.
  case refused = 9
  /// Cancelled.
  case cancelled = 10
  /// No permission.
  case permission = 11
  /// No space left.
  case noSpace = 12
  /// The catalog cannot be used.
  case catalog = 13
  /// Wrong usage.
  case usage = 64

  /// The code of a kind of failure.
  public init(_ kind: FailureKind) {
    self =
      switch kind {
      case .general: .failed
      case .notFound: .notFound
      case .conflict: .conflict
      case .inUse: .inUse
      case .timeout: .timeout
      case .connection: .connection
      case .refused: .refused
      case .cancelled: .cancelled
      case .permission: .permission
      case .noSpace: .noSpace
      case .catalog: .catalog
      case .usage: .usage
      }
  }

  /// The code of a job's end, or of what keeps its commit from its end; nil while it goes on.
  public init?(_ record: JobRecord) {
    let isInDoubt = record.status == .pending && record.error != nil
    guard record.status == .concluded || record.status == .null || isInDoubt else { return nil }
    self = record.error.map { ExitCode($0.kind) } ?? .done
  }
}
