import QMP

extension CommandTable {
  /// What tells of the monitor and of the machine as a whole.
  static let statusCommands: [Command] = [
    Command("query-version", returns: .object(versionSchema)) { _, context in
      [
        "qemu": ["micro": 0, "minor": 2, "major": 7],
        "package": .string("snapjob \(context.services.version)"),
      ]
    },

    Command("query-status", returns: .object(statusSchema)) { _, _ in
      ["status": "shutdown", "singlestep": false, "running": false]
    },

    Command(
      "query-name", returns: .object(SchemaObject("NameInfo", [.optional("name", .string)]))
    ) { _, context in
      .object(context.machineName.map { [.init("name", .string($0))] } ?? [])
    },

    // A machine of files has none; QEMU says this of one that was started without.
    Command(
      "query-uuid", returns: .object(SchemaObject("UuidInfo", [.required("UUID", .string)]))
    ) { _, _ in
      ["UUID": "00000000-0000-0000-0000-000000000000"]
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
      .required("status", .enumeration(SchemaEnumeration("RunState", ["shutdown"]))),
    ])
}
