/// What kind of failure an error is; exit codes and QMP classes are derived from it, once each.
public enum FailureKind: String, Sendable, Hashable, CaseIterable, Codable {
  /// No kind of its own.
  case general
  /// A node, job, machine, file or tag is missing.
  case notFound
  /// A conflict that trying again does not solve.
  case conflict
  /// Held by another program or job; trying again can help.
  case inUse
  /// Content refused: malformed, unsupported or over a limit.
  case refused
  /// Cancelled on request.
  case cancelled
  /// No permission.
  case permission
  /// No space left.
  case noSpace
  /// The catalog cannot be used.
  case catalog
  /// A time limit passed.
  case timeout
  /// The other side cannot be reached.
  case connection
  /// Wrong usage.
  case usage
}

/// A failure as a job or a verb reports it: its kind and a sentence for people.
public struct JobError: Error, Sendable, Hashable, Codable, CustomStringConvertible {
  /// The kind of failure.
  public let kind: FailureKind
  /// What happened, where, and what to do; the text of `error` in `query-jobs`.
  public let message: String

  /// Makes a failure of a kind with its sentence.
  public init(_ kind: FailureKind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// Takes an error as it is if it is a ``JobError``, else its description.
  init(describing error: any Error) {
    self = error as? JobError ?? JobError(.general, "\(error)")
  }

  /// The sentence alone.
  public var description: String { message }

  /// QEMU's text for a job that was cancelled.
  public static let operationCanceled = JobError(.cancelled, "Operation canceled")
}
