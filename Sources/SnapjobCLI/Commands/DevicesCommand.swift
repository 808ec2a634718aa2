import ArgumentParser

/// `snapjob devices`.
struct DevicesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devices",
    abstract: "The state of a machine's devices, in files and in snapshots.",
    subcommands: [
      DevicesSaveCommand.self, DevicesLoadCommand.self, DevicesInspectCommand.self,
      DevicesDiffCommand.self,
    ],
    aliases: ["state"])
}
