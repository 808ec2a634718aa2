import ArgumentParser

/// `snapjob node`.
struct NodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node",
    abstract: "The disks of a machine.",
    subcommands: [
      NodeAddCommand.self, NodeCreateCommand.self, NodeListCommand.self, NodeRemoveCommand.self,
    ])
}
