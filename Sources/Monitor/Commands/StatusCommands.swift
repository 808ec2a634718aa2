import QMP

extension CommandTable {
  /// What tells of the monitor itself.
  static let statusCommands: [Command] = [
    Command("query-version", returns: .object(versionSchema)) { _, context in
      [
        "qemu": ["micro": 0, "minor": 2, "major": 7],
        "package": .string("snapjob \(context.services.version)"),
      ]
    },

    Command(
      "query-commands",
      returns: .array(.object(SchemaObject("CommandInfo", [.required("name", .string)])))
    ) { _, _ in
      .array(CommandTable.standard.commands.map { ["name": .string($0.signature.name)] })
    },

    Command("query-status", returns: .object(statusSchema)) { _, _ in
      ["status": "shutdown", "singlestep": false, "running": false]
    },
  ]

  /// The version is that of the QEMU whose commands and texts are followed; `package` names us.
  private static let versionSchema = SchemaObject(
    "VersionInfo",
    [
      .required(
        "qemu",
        .object(
          SchemaObject(
            "VersionTriple",
            [
              .required("major", .integer), .required("minor", .integer),
              .required("micro", .integer),
            ]))),
      .required("package", .string),
    ])

  private static let statusSchema = SchemaObject(
    "StatusInfo",
    [
      .required("running", .boolean), .required("singlestep", .boolean),
      .required("status", .string),
    ])
}
