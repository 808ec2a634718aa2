import Jobs
import QMP
import SnapshotJobs

extension CommandTable {
  /// Several things at once, all or none.
  ///
  /// Beside QEMU's actions on device snapshots, the snapshot jobs are actions here. With
  /// `completion-mode` `grouped` these are committed together or undone together.
  static let transactionCommands: [Command] = [
    Command(
      "transaction",
      [
        .required("actions", .array(.object(actionSchema))),
        .optional(
          "properties",
          .object(
            SchemaObject(
              "TransactionProperties",
              [
                .optional(
                  "completion-mode",
                  .enumeration(
                    SchemaEnumeration(
                      "ActionCompletionMode", JobGrouping.allCases.map(\.rawValue))))
              ]))),
      ]
    ) { arguments, context in
      let mode = arguments.object(ifPresent: "properties")?.string(ifPresent: "completion-mode")
      let transaction = Transaction(
        try arguments.objects("actions").map { try Transaction.Action($0, context) },
        mode.flatMap(JobGrouping.init) ?? .individual)
      try await transaction.run(in: context)
    }
  ]

  private static let actionSchema = SchemaObject(
    "TransactionAction", tag: "type", "TransactionActionKind",
    [
      .init("abort", [.required("data", .object(SchemaObject("Abort", [])))]),
      .init(
        Transaction.Action.takeName,
        [
          .required(
            "data",
            .object(
              SchemaObject("BlockdevSnapshotInternal", DeviceSnapshotAction.takeMembers)))
        ]),
    ]
      + BitmapCommand.allCases.map { command in
        .init(
          command.rawValue, [.required("data", .object(SchemaObject(command.members)))])
      }
      + SnapshotRequest.Operation.commands.map { operation in
        .init(
          operation.rawValue, [.required("data", .object(SchemaObject(operation.jobMembers)))])
      })
}

extension Transaction.Action {
  /// The type of the action that takes a device snapshot.
  static let takeName = "blockdev-snapshot-internal-sync"

  /// The action of checked arguments. What is wrong beyond their types is told when its turn comes.
  init(_ arguments: Arguments, _ context: CommandContext) throws {
    let type = try arguments.string("type")
    let data = try arguments.object("data")
    if type == Self.takeName {
      self = .take(try DeviceSnapshotAction(taking: data))
    } else if let operation = SnapshotRequest.Operation(rawValue: type) {
      self = .job(try SnapshotRequest(operation, data), data)
    } else if let command = BitmapCommand(rawValue: type) {
      self = .bitmap(command, try command.action(data))
    } else {
      self = .abort
    }
  }
}
