import ArgumentParser
import QMP

/// `snapjob machine remove`.
struct MachineRemoveCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Forget a machine; its files are not touched, its jobs stay in the history.",
    discussion: """
      Example:
        snapjob machine remove web01
      """)

  @Argument(help: "The machine's name.") var name: String
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.withEndpoint(machine: Settings.defaultMachine) { endpoint in
      _ = try await endpoint.execute("x-snapjob-machine-remove", ["name": .string(name)])
    }
    session.output.acknowledge()
    return .done
  }
}
