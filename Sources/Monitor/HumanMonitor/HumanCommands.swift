import Jobs
import QMP
import SnapshotJobs

extension HumanMonitor {
  /// The command with commands of its own.
  static let infoName = "info"

  /// The commands in the order of the help.
  ///
  /// `savevm`, `loadvm` and `delvm` cover all writable nodes that are not excluded, and are done when
  /// they return; they are no jobs.
  static let commands: [HumanCommand] = [
    HumanCommand("cont|c", help: "resume emulation") { _, context in
      try await context.perform("cont")
    },
    HumanCommand(
      "delvm", [.string("name", isOptional: false)], usage: "tag",
      help: "delete a VM snapshot from its tag"
    ) { arguments, context in
      // As in QEMU, what is nowhere is no error.
      guard try !context.machine().coveredNodes.isEmpty else { return "" }
      return try context.change(.delete, tag: arguments.strings["name"])
    },
    HumanCommand(
      "help|?", [.string("name", isOptional: true)], usage: "[cmd]", help: "show the help"
    ) {
      arguments, _ in help(for: arguments.strings["name"])
    },
    HumanCommand(
      infoName, usage: "[subcommand]",
      help: "show various information about the system state"
    ) { _, _ in infoCommands.map { $0.helpLine(prefix: "info ") }.joined() },
    HumanCommand(
      "loadvm", [.string("name", isOptional: false)], usage: "tag",
      help: "restore a VM snapshot from its tag"
    ) { arguments, context in try context.change(.load, tag: arguments.strings["name"]) },
    HumanCommand("quit|q", help: "quit the emulator") { _, context in
      try await context.perform("quit")
    },
    HumanCommand(
      "savevm", [.string("name", isOptional: true)], usage: "tag",
      help: "save a VM snapshot. If no tag is provided, a new snapshot is created"
    ) { arguments, context in
      let tag = arguments.strings["name"] ?? LocalTime(Timestamp.now()).snapshotName
      return try context.change(.save, tag: tag)
    },
    HumanCommand("stop|s", help: "stop emulation") { _, context in
      try await context.perform("stop")
    },
  ]

  private static func help(for name: String?) -> String {
    let wanted = commands.filter { command in name.map { command.isCalled($0[...]) } ?? true }
    return wanted.map { $0.helpLine() }.joined()
  }
}

extension CommandContext {
  /// Executes a QMP command that has no arguments and returns nothing.
  fileprivate func perform(_ command: String) async throws -> String {
    _ = try await CommandTable.standard[command]?.run(Arguments([]), self)
    return ""
  }

  /// Changes the snapshots of all nodes that take part.
  fileprivate func change(
    _ operation: SnapshotRequest.Operation, tag: String?
  ) throws -> String {
    let machine = try machine()
    let devices = machine.coveredNodes.map(\.name.description)
    guard !devices.isEmpty else { throw JobError.noSnapshotDevice }
    var request = SnapshotRequest(
      operation: operation, tag: tag ?? "", devices: devices, vmstate: nil)
    request.replace = operation == .save
    try services.images.prepare(request, on: machine).commit()
    return ""
  }
}

extension JobError {
  /// No node can have snapshots, in the words of QEMU's monitor.
  static let noSnapshotDevice = JobError(
    .notFound, "no block device can store vmstate for snapshot")
}
