/// What a command takes and returns: the data of which argument checks and `query-qmp-schema` are
/// made.
public struct CommandSignature: Sendable, Hashable {
  /// The command's name.
  public let name: String
  /// Its arguments.
  public let arguments: SchemaObject
  /// What it returns.
  public let returns: SchemaType
  /// Whether it may be executed before commands that came earlier (`allow-oob` of the schema).
  public let allowsOutOfBand: Bool
  /// What clients look for to learn how the command behaves (`features` of the schema).
  public let features: [String]

  /// Makes a signature.
  ///
  /// - Parameters:
  ///   - name: the command's name.
  ///   - arguments: in the order in which they are checked.
  ///   - returns: an object without members for commands that return nothing.
  ///   - allowsOutOfBand: whether it may be executed before commands that came earlier.
  ///   - features: what clients look for to learn how it behaves.
  public init(
    _ name: String, _ arguments: [SchemaMember] = [], returns: SchemaType = .object(.empty),
    allowsOutOfBand: Bool = false, features: [String] = []
  ) {
    self.name = name
    self.arguments = SchemaObject(arguments)
    self.returns = returns
    self.allowsOutOfBand = allowsOutOfBand
    self.features = features
  }

  /// Checks the arguments of one call.
  ///
  /// - Parameter value: the value of `arguments`; nil for none.
  /// - Returns: the arguments, for typed reading.
  /// - Throws: ``QMPError`` with QEMU's text for the first thing that is wrong.
  public func check(_ value: QMPValue?) throws(QMPError) -> Arguments {
    switch value {
    case nil:
      try SchemaVisit.check([], against: arguments, at: .top)
      return Arguments([])
    case .object(let members):
      try SchemaVisit.check(members, against: arguments, at: .top)
      return Arguments(members)
    default:
      throw QMPError(.genericError, "QMP input member 'arguments' must be an object")
    }
  }

  /// Checks a reply.
  ///
  /// - Throws: ``QMPError`` that says what does not fit the declared type.
  public func checkReply(_ value: QMPValue) throws(QMPError) {
    try SchemaVisit.check(value, against: returns, at: .top)
  }
}
