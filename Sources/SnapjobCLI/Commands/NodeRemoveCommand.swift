import ArgumentParser
import QMP

/// `snapjob node remove`.
struct NodeRemoveCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Forget a disk of the machine; its file is not touched.",
    discussion: """
      Example:
        snapjob node remove disk1
      """)

  @Argument(help: "The node's name.") var name: String
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.withEndpoint { endpoint in
      _ = try await endpoint.execute("blockdev-del", ["node-name": .string(name)])
    }
    session.output.acknowledge()
    return .done
  }
}
