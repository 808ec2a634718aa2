import Jobs
import QMP

extension CommandTable {
  /// What starts, stops and ends a machine.
  ///
  /// The guest of a stored machine does not run. `stop` finds it as it is to be, which QEMU calls
  /// success as well; `cont` asks for what nobody here can do, and QEMU refuses it, too, for a guest
  /// that has shut down. `quit` ends the monitor, not a guest.
  static let runStateCommands: [Command] = [
    Command("stop") { _, _ in },

    Command("cont") { _, context in
      let machine = context.machineName.map { "Machine '\($0)'" } ?? "The machine"
      throw JobError(
        .conflict,
        "\(machine) is not running, and snapjob cannot start it: start QEMU with its disks; one that "
          + "runs already is added with: \(NextStep("machine", "add", "NAME", "--qmp", "unix:PATH"))"
      )
    },

    Command("quit") { _, context in
      guard let onQuit = context.onQuit else {
        return context.announcements.announce(QMPEvent(.quit))
      }
      try onQuit()
    },
  ]
}
