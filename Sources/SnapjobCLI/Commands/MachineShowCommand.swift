import ArgumentParser
import FileNames
import QMP

/// `snapjob machine show`.
struct MachineShowCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show a machine and its disks.",
    discussion: """
      Examples:
        snapjob machine show
        snapjob machine show web01
      """)

  @Argument(help: "The machine's name. Default: that of --machine.") var name: String?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let machine = try await session.withEndpoint(machine: name) { endpoint in
      try await endpoint.execute("x-snapjob-machine-show", nil)
    }
    // A server is one machine, whichever is asked for.
    if let name, !machine.text("name").hasSameBytes(as: name) {
      throw CommandFailure(
        .notFound,
        "the server is the machine \(machine.text("name")), not \(name). Leave out --connect "
          + "(SNAPJOB_CONNECT)")
    }
    session.output.json(machine)
    session.output.line("machine: \(machine.text("name"))")
    let monitor = machine.text("qmp")
    if !monitor.isEmpty { session.output.line("monitor: \(monitor)") }
    let node = machine.text("vmstate-node")
    if !node.isEmpty {
      session.output.line("vm state on: \(node)\(machine["vmstate"] == nil ? " (the first)" : "")")
    }
    let table = NodeListCommand.table([machine], showsMachine: false)
    if table.isEmpty {
      session.output.line("disks: none")
    } else {
      session.output.line("")
      session.output.table(table)
    }
    return .done
  }
}
