public import QMP

/// Why a job file is refused: the file, the line, what is wrong there and what to do.
public struct JobFileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file as it was named.
  public let path: String
  /// The line, counted from 1.
  public let line: Int
  /// What is wrong, and what to do.
  public let message: String

  /// `FILE:LINE: what. What to do`.
  public var description: String { "\(path):\(line): \(message)" }

  /// The same as an endpoint would say it.
  public var error: QMPError { QMPError(.genericError, description, kind: "refused") }
}

/// Something wrong at a line, before it is known in which file.
struct LineError: Error {
  let line: Int
  let message: String

  init(_ line: Int, _ message: String) {
    self.line = line
    self.message = message
  }
}
