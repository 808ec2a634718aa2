import QMP

/// All commands, by name.
struct CommandTable: Sendable {
  /// The table of every monitor.
  static let standard = CommandTable(
    snapshotCommands + deviceSnapshotCommands + bitmapCommands + transactionCommands + groupCommands
      + snapshotInspectionCommands + deviceStateCommands + deviceStateInspectionCommands
      + jobCommands + jobInspectionCommands
      + blockCommands + blockQueryCommands + imageCommands + machineCommands + statusCommands
      + introspectionCommands + humanMonitorCommands + runStateCommands + yankCommands
      + catalogCommands + migrationCommands + bitmapTransferCommands
      + recoveryCommands)

  /// Sorted by name.
  let commands: [Command]
  private let byName: [String: Command]

  init(_ commands: [Command]) {
    self.commands = commands.sorted { $0.signature.name < $1.signature.name }
    byName = Dictionary(
      commands.map { ($0.signature.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  subscript(name: String) -> Command? { byName[name] }
}
