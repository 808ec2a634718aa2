import QMP

extension CommandTable {
  /// What tells of the monitor and of the machine as a whole.
  static let statusCommands: [Command] = [
    Command("query-version", returns: .object(versionSchema)) { _, context in
      let version = followedVersion
      return [
        "qemu": [
          "micro": .int(version.micro), "minor": .int(version.minor), "major": .int(version.major),
        ],
        "package": .string(context.package),
      ]
    },

    Command("query-status", returns: .object(statusSchema)) { _, _ in
      ["status": .string(runState), "singlestep": false, "running": false]
    },

    Command(
      "query-name", returns: .object(SchemaObject("NameInfo", [.optional("name", .string)]))
    ) { _, context in
      .object(context.machineName.map { [.init("name", .string($0))] } ?? [])
    },

    Command(
      "query-uuid", returns: .object(SchemaObject("UuidInfo", [.required("UUID", .string)]))
    ) { _, _ in
      ["UUID": .string(uuid)]
    },
  ]

  /// The version of the QEMU whose commands and texts are followed; `package` names us.
  static let followedVersion: (major: Int64, minor: Int64, micro: Int64) = (7, 2, 0)

  /// The run state of a machine whose guest does not run.
  static let runState = "shutdown"

  /// A machine of files has no UUID; QEMU says this of one that was started without.
  static let uuid = "00000000-0000-0000-0000-000000000000"

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
      .required("status", .enumeration(SchemaEnumeration("RunState", [runState]))),
    ])
}

extension CommandContext {
  /// What `query-version` calls the package.
  var package: String { "snapjob \(services.version)" }
}
