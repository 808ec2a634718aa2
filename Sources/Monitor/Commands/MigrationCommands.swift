import DeviceState
import Jobs
import QMP
import SnapshotJobs

extension CommandTable {
  /// Transfers of dirty bitmaps from machine to machine, in the words of QEMU's migration: each is a job.
  static let migrationCommands: [Command] = [
    Command(
      "migrate",
      [
        .required("uri", .string), .optional("blk", .boolean), .optional("inc", .boolean),
        .optional("detach", .boolean), .optional("resume", .boolean),
        .optional("x-machine-type", .string),
      ] + transferMembers
    ) { arguments, context in
      try context.checkSending(arguments)
      try await context.send(arguments)
    },

    Command(
      "migrate-incoming",
      [.required("uri", .string), .optional("x-ignore-unknown", .boolean)] + transferMembers
    ) { arguments, context in
      try await context.receive(arguments)
    },

    Command("query-migrate", returns: .object(Migration.schema)) { _, context in
      context.migrations.last?.json(at: .now()) ?? [:]
    },

    Command("migrate_cancel") { _, context in try await context.cancelMigration() },

    Command("migrate-continue", [.required("state", .enumeration(MigrationStatus.schema))]) {
      arguments, context in
      let migration = context.migrations.last
      let status = migration?.status ?? .none
      guard try arguments.string("state") == status.rawValue else {
        throw JobError(.conflict, "Migration not in expected state: \(status.rawValue)")
      }
      guard let migration, status == .preSwitchover else { return }
      try await context.services.runner.apply(.complete, to: migration.job)
    },

    Command(
      "migrate-set-capabilities",
      [.required("capabilities", .array(.object(MigrationCapability.statusSchema)))]
    ) { arguments, context in
      try context.migrations.change(try arguments.objects("capabilities"))
    },

    Command(
      "query-migrate-capabilities", returns: .array(.object(MigrationCapability.statusSchema))
    ) { _, context in
      let switchedOn = context.migrations.capabilities
      return .array(
        MigrationCapability.allCases.map { capability in
          [
            "state": .bool(switchedOn.contains(capability)),
            "capability": .string(capability.rawValue),
          ]
        })
    },

    Command("migrate-set-parameters", MigrationParameters.changeMembers) { arguments, context in
      try context.migrations.change(arguments)
    },

    Command("query-migrate-parameters", returns: .object(MigrationParameters.schema)) {
      _, context in context.migrations.parameters.json
    },
  ]

  /// Transfers between two machines of this catalog: both sides are jobs here, and one transaction.
  static let bitmapTransferCommands: [Command] = [
    Command(
      "x-snapjob-bitmap-transfer",
      [
        .required("job-id", .string), .required("to-machine", .string),
        .optional("block-bitmap-mapping", BlockBitmapMapping.schema),
        .optional("ignore-unknown", .boolean), .optional("note", .string),
      ]
    ) { arguments, context in
      let machines = (
        try context.machine(),
        try context.services.machines.machine(named: try arguments.string("to-machine"))
      )
      guard machines.0.name.map({ Array($0.utf8) }) != machines.1.name.map({ Array($0.utf8) })
      else {
        throw JobError(
          .usage,
          "The bitmaps are on machine '\(machines.1.name ?? "")' already; within a machine: "
            + "\(NextStep("bitmap", "merge", "NODE", "TARGET", "SOURCE"))")
      }
      for machine in [machines.0, machines.1] { try await context.requireStopped(machine) }
      let transfer = try BitmapTransfer(arguments, from: machines.0, to: machines.1, context)
      try await transfer.start(in: context)
    }
  ]

  /// What both sides have beyond QEMU's arguments.
  private static let transferMembers: [SchemaMember] = [
    .optional("x-job-id", .string), .optional("x-note", .string), .optional("x-timeout", .unsigned),
    .optional("x-bitmaps", .boolean),
    .optional("x-block-bitmap-mapping", BlockBitmapMapping.schema),
  ]
}
