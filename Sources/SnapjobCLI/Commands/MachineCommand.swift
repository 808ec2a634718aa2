import ArgumentParser

/// `snapjob machine`.
struct MachineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machine",
    abstract: "Machines: named sets of disks.",
    discussion: "The machine default exists without being added.",
    subcommands: [
      MachineAddCommand.self, MachineListCommand.self, MachineShowCommand.self,
      MachineSetCommand.self, MachineRemoveCommand.self,
    ])
}
