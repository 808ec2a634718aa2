import QMP

/// One row of the command table.
struct Command: Sendable {
  /// Does the work; throws `QMPError` or `JobError`.
  typealias Handler = @Sendable (Arguments, CommandContext) async throws -> QMPValue

  /// The name, the arguments and the reply.
  let signature: CommandSignature
  /// Does the work.
  let run: Handler

  /// Makes a row for a command that replies with a value.
  init(
    _ name: String, _ arguments: [SchemaMember] = [], returns: SchemaType,
    allowsOutOfBand: Bool = false, features: [String] = [], run: @escaping Handler
  ) {
    signature = CommandSignature(
      name, arguments, returns: returns, allowsOutOfBand: allowsOutOfBand, features: features)
    self.run = run
  }

  /// Makes a row for a command that returns nothing.
  init(
    _ name: String, _ arguments: [SchemaMember] = [], allowsOutOfBand: Bool = false,
    run: @escaping @Sendable (Arguments, CommandContext) async throws -> Void
  ) {
    signature = CommandSignature(name, arguments, allowsOutOfBand: allowsOutOfBand)
    self.run = { arguments, context in
      try await run(arguments, context)
      return [:]
    }
  }
}
