import Jobs
import QMP
import SnapshotJobs

/// What a running machine is asked itself.
extension CommandContext {
  /// Commands of the table that are about the guest: while it runs, QEMU knows better.
  private static let guestCommands: Set<String> = [
    "query-status", "stop", "cont", "human-monitor-command", "query-migrate", "migrate_cancel",
    "migrate-continue", "query-migrate-capabilities", "migrate-set-capabilities",
    "query-migrate-parameters", "migrate-set-parameters",
  ]

  /// Commands of QEMU that are about the guest unless they ask for what only snapjob has.
  private static let sharedCommands: Set<String> = ["migrate", "migrate-incoming"]

  /// Passes a command on to the running machine, if it is one of QEMU's that snapjob has no part in.
  ///
  /// - Returns: the reply; nil if it is not to be passed on, or the machine does not run.
  /// - Throws: QEMU's error, or what keeps the machine from being asked.
  func passOn(_ command: String, _ arguments: QMPValue?) async throws(QMPError) -> QMPValue? {
    let isForeign = CommandTable.standard[command] == nil && !command.hasPrefix("x-snapjob-")
    let isShared =
      Self.sharedCommands.contains(command)
      && !(arguments?.members.contains { $0.name.hasPrefix("x-") } ?? false)
    guard isForeign || isShared || Self.guestCommands.contains(command),
      let address = (try? machine())?.monitor
    else { return nil }
    return try await services.live.execute(command, arguments, at: address)
  }

  /// Refuses what would need a machine to be files only.
  ///
  /// - Throws: `JobError` (in use) if it runs.
  func requireStopped(_ machine: Machine) async throws {
    guard let address = machine.monitor,
      try await services.live.execute("query-status", nil, at: address) != nil
    else { return }
    throw JobError(
      .inUse,
      "Machine '\(machine.name ?? "")' is running, and its bitmaps are in QEMU's memory: its own migrate "
        + "would take the whole machine along. Shut it down first; to copy a bitmap while it runs: snapjob "
        + "bitmap merge")
  }
}
