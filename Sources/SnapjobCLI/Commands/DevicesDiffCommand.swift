import ArgumentParser
import FileNames
import QMP

/// `snapjob devices diff`.
struct DevicesDiffCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Tell which devices, and which of their fields, differ between two saved states.",
    discussion: """
      A and B are files with streams, or tag:NAME for the state of a snapshot. Guest RAM is not \
      compared. Which fields differ is told if at least one of the two says what its fields are, as \
      snapshots and migrations do.

      Examples:
        snapjob devices diff tag:monday tag:tuesday
        snapjob devices diff vm.state tag:before-upgrade
        snapjob devices diff old.state new.state --json
      """)

  @Argument(help: ArgumentHelp("The older state.", valueName: "a"), completion: .file())
  var old: String
  @Argument(help: ArgumentHelp("The newer state.", valueName: "b"), completion: .file())
  var new: String
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let names = try [old, new].map { name in
      name.suffix(after: "tag:") == nil ? try session.host.absolute(name) : name
    }
    let difference = try await session.withEndpoint { endpoint in
      try await endpoint.execute(
        "x-snapjob-device-state-diff", ["from": .string(names[0]), "to": .string(names[1])])
    }
    session.output.json(difference)
    DeviceStateDifference(difference).lines.forEach(session.output.line)
    return .done
  }
}
