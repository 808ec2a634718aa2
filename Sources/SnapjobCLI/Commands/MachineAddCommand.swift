import ArgumentParser
import QMP

/// `snapjob machine add`.
struct MachineAddCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add a machine, with its disks if you like.",
    discussion: """
      Disks without a name are called disk0, disk1 and so on. Either all is added or nothing.

      Example:
        snapjob machine add web01 --disk root=/img/web01.qcow2 --disk /img/web01-data.qcow2
      """)

  @Argument(help: "The machine's name.") var name: String
  @Option(
    name: .customLong("disk"),
    help: ArgumentHelp("A disk; may be repeated.", valueName: "[node=]file"),
    completion: .file())
  var disks: [DiskArgument] = []
  @Option(help: .hidden) var qmp: String?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    if qmp != nil {
      throw CommandFailure(
        .failed,
        "live machines (--qmp) are not supported by this version; a machine is files on disk. "
          + "Name them: snapjob machine add \(name) --disk FILE")
    }
    let list = disks.map { disk -> QMPValue in
      .present([
        "node-name": disk.node.map { .string($0) },
        "filename": .string(session.host.absolute(disk.file)),
      ])
    }
    try await session.withEndpoint(machine: Settings.defaultMachine) { endpoint in
      _ = try await endpoint.execute(
        "x-snapjob-machine-add", ["name": .string(name), "disks": .array(list)])
    }
    session.output.acknowledge()
    return .done
  }
}
