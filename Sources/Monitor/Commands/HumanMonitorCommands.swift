import QMP

extension CommandTable {
  /// The way to the monitor for people.
  static let humanMonitorCommands: [Command] = [
    Command(
      "human-monitor-command",
      [.required("command-line", .string), .optional("cpu-index", .integer)], returns: .string,
      features: ["savevm-monitor-nodes"]
    ) { arguments, context in
      // A machine that does not run has no CPU to choose.
      guard arguments["cpu-index"] == nil else {
        throw QMPError(.genericError, "Parameter 'cpu-index' expects a CPU number")
      }
      let line = try arguments.string("command-line")
      return .string(await HumanMonitor(context: context).execute(line))
    }
  ]
}
