import ArgumentParser
import QMP

/// `snapjob machine list`.
struct MachineListCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the machines.",
    discussion: """
      Example:
        snapjob machine list
      """)

  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let machines = try await session.withEndpoint(machine: Settings.defaultMachine) { endpoint in
      try await endpoint.execute("x-snapjob-machine-list", nil)
    }
    session.output.json(machines)
    var table = Table([.init("MACHINE"), .init("DISKS", right: true), .init("VM STATE ON")])
    for machine in machines.elements {
      table.add(
        [machine.text("name"), String(machine.integer("nodes")), machine.text("vmstate")])
    }
    session.output.table(table)
    return .done
  }
}
