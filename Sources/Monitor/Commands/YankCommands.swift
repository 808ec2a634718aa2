import Jobs
import QMP

extension CommandTable {
  /// The way to cut connections that hang; a machine of files has none.
  static let yankCommands: [Command] = [
    Command("query-yank", returns: .array(.object(yankInstance)), allowsOutOfBand: true) { _, _ in
      []
    },

    Command(
      "yank", [.required("instances", .array(.object(yankInstance)))], allowsOutOfBand: true
    ) { arguments, _ in
      guard try arguments.objects("instances").isEmpty else {
        throw QMPError(.deviceNotFound, "Instance not found").withKind(.notFound)
      }
    },
  ]

  private static let yankInstance = SchemaObject(
    "YankInstance", tag: "type", "YankInstanceType",
    [
      .init("block-node", [.required("node-name", .string)]),
      .init("chardev", [.required("id", .string)]),
      .init("migration"),
    ])
}
