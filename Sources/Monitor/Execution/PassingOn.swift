import Jobs
import QMP
import SnapshotJobs

/// What a running machine is asked itself.
extension CommandContext {
  /// Commands of the table that are about the guest: while it runs, QEMU knows better.
  private static let guestCommands: Set<String> = [
    "query-status", "stop", "cont", "human-monitor-command",
  ]

  /// Passes a command on to the running machine, if it is one of QEMU's that snapjob has no part in.
  ///
  /// - Returns: the reply; nil if it is not to be passed on, or the machine does not run.
  /// - Throws: QEMU's error, or what keeps the machine from being asked.
  func passOn(_ command: String, _ arguments: QMPValue?) async throws(QMPError) -> QMPValue? {
    let isForeign = CommandTable.standard[command] == nil && !command.hasPrefix("x-snapjob-")
    guard isForeign || Self.guestCommands.contains(command),
      let address = (try? machine())?.monitor
    else { return nil }
    return try await services.live.execute(command, arguments, at: address)
  }
}
