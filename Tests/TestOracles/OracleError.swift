/// What went wrong with an oracle: the command, and what it said.
public struct OracleError: Error, CustomStringConvertible {
  /// The whole text.
  public let description: String

  /// Makes an error.
  public init(_ description: String) { self.description = description }
}
