import ArgumentParser
import FileNames
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
        snapjob machine add vm1 --qmp unix:/run/vm1.qmp
      """)

  @Argument(help: "The machine's name.") var name: String
  @Option(
    name: .customLong("disk"),
    help: ArgumentHelp("A disk; may be repeated.", valueName: "[node=]file"),
    completion: .file())
  var disks: [DiskArgument] = []
  @Option(
    help: ArgumentHelp(
      "The QMP monitor of the running machine: its writable qcow2 disks are added.",
      discussion: """
        While somebody listens there, save, load and delete are done by QEMU; while nobody does, on \
        the files.
        """,
      valueName: "unix:path"))
  var qmp: String?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  /// The monitor's address, with an absolute path.
  private func monitor(_ session: Session) throws -> QMPValue? {
    guard let qmp else { return nil }
    guard let path = qmp.suffix(after: "unix:"), !path.isEmpty else {
      throw CommandFailure(.usage, "'\(qmp)' is no monitor of a machine. Write --qmp unix:PATH")
    }
    return try .string("unix:" + session.host.absolute(path))
  }

  func perform(in session: Session) async throws -> ExitStatus {
    let list = try disks.map { disk -> QMPValue in
      try .present([
        "node-name": disk.node.map { .string($0) },
        "filename": .string(session.host.absolute(disk.file)),
      ])
    }
    try await session.withEndpoint(machine: Settings.defaultMachine) { endpoint in
      _ = try await endpoint.execute(
        "x-snapjob-machine-add",
        .present([
          "name": .string(name), "disks": .array(list), "qmp": try monitor(session),
        ]))
    }
    session.output.acknowledge()
    return .done
  }
}
