import ArgumentParser
import Jobs
import QMP

/// `snapjob node list`.
struct NodeListCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the disks of the machine.",
    discussion: """
      COVERED says whether jobs without --device work on the disk.

      Examples:
        snapjob node list
        snapjob node list --all-machines
      """)

  @Flag(name: [.customShort("A"), .long], help: "All machines.") var allMachines = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let machines = try await session.withEndpoint { endpoint in
      guard allMachines else {
        return [try await endpoint.execute("x-snapjob-machine-show", nil)]
      }
      var shown: [QMPValue] = []
      for machine in try await endpoint.execute("x-snapjob-machine-list", nil).elements {
        let name: QMPValue = ["name": .string(machine.text("name"))]
        shown.append(try await endpoint.execute("x-snapjob-machine-show", name))
      }
      return shown
    }
    session.output.json(Self.json(machines))
    let table = Self.table(machines, showsMachine: allMachines)
    if table.isEmpty {
      if !session.output.isJSON {
        session.output.note("no disks. Add one: \(NextStep("node", "add", "NODE", "FILE"))")
      }
    } else {
      session.output.table(table)
    }
    return .done
  }

  /// The nodes, each with its machine's name.
  static func json(_ machines: [QMPValue]) -> QMPValue {
    .array(
      machines.flatMap { machine in
        (machine["nodes"]?.elements ?? []).map { node in
          .object(node.members + [.init("machine", .string(machine.text("name")))])
        }
      })
  }

  /// The nodes for people.
  static func table(_ machines: [QMPValue], showsMachine: Bool) -> Table {
    var table = Table(
      (showsMachine ? [.init("MACHINE")] : [])
        + [.init("NODE"), .init("COVERED"), .init("VM STATE"), .init("FILE")])
    for machine in machines {
      for node in machine["nodes"]?.elements ?? [] {
        let name = node.text("node-name")
        let covered =
          node.isTrue("read-only") ? "read-only" : node.isTrue("excluded") ? "excluded" : "yes"
        table.add(
          (showsMachine ? [machine.text("name")] : [])
            + [
              name, covered, machine.text("vmstate-node") == name ? "yes" : "",
              node.text("filename"),
            ])
      }
    }
    return table
  }
}
