import QMP

extension CommandTable {
  /// What tells of the commands and events that there are.
  static let introspectionCommands: [Command] = [
    Command(
      "query-commands",
      returns: .array(.object(SchemaObject("CommandInfo", [.required("name", .string)])))
    ) { _, _ in
      .array(CommandTable.standard.commands.map { ["name": .string($0.signature.name)] })
    },

    Command("query-qmp-schema", returns: SchemaListing.schema) { _, _ in schema },
  ]

  /// Worked out once: it is the same for every monitor.
  private static let schema = SchemaListing(
    commands: Monitor.commands, events: Monitor.eventSignatures
  ).value
}
