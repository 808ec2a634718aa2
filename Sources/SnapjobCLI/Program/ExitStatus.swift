import Snapjob

/// How the program ends; the numbers are fixed, scripts rely on them.
struct ExitStatus: RawRepresentable, Sendable, Hashable {
  let rawValue: Int32

  init(rawValue: Int32) { self.rawValue = rawValue }

  /// Done.
  static let done = ExitStatus(rawValue: 0)
  /// Failed for a reason that has no code of its own.
  static let failed = ExitStatus(rawValue: 1)
  /// `verify`: the readers differ.
  static let differs = ExitStatus(rawValue: 2)
  /// Node, job, machine, file or tag not found.
  static let notFound = ExitStatus(rawValue: 4)
  /// A conflict that trying again does not solve.
  static let conflict = ExitStatus(rawValue: 5)
  /// Held by another program or job.
  static let inUse = ExitStatus(rawValue: 6)
  /// A time limit passed.
  static let timeout = ExitStatus(rawValue: 7)
  /// No connection.
  static let connection = ExitStatus(rawValue: 8)
  /// Content refused.
  static let refused = ExitStatus(rawValue: 9)
  /// The job was cancelled.
  static let cancelled = ExitStatus(rawValue: 10)
  /// No permission.
  static let permission = ExitStatus(rawValue: 11)
  /// No space left.
  static let noSpace = ExitStatus(rawValue: 12)
  /// The catalog cannot be used.
  static let catalog = ExitStatus(rawValue: 13)
  /// Wrong usage.
  static let usage = ExitStatus(rawValue: 64)

  /// Interrupted by a signal, and undone.
  static func interrupted(by signal: Int32) -> ExitStatus {
    ExitStatus(rawValue: 128 + signal)
  }

  /// The status for a kind of failure as an endpoint names it.
  ///
  /// - Parameter kind: the kind; nil (a server that is not snapjob) and unknown ones are 1.
  init(kind: String?) { self.init(rawValue: Engine.exitCode(ofKind: kind)) }
}
