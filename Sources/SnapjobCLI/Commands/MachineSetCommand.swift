import ArgumentParser
import QMP

/// `snapjob machine set`.
struct MachineSetCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "set",
    abstract: "Change a machine's settings.",
    discussion: """
      Examples:
        snapjob machine set web01 --exclude swap
        snapjob machine set web01 --vmstate root --rename disk1=data
        snapjob machine set web01 --file data=/new/place/web01-data.qcow2
      """)

  @Argument(help: "The machine's name.") var name: String
  @Option(
    help: ArgumentHelp("Leave this node out of jobs without --device.", valueName: "node"))
  var exclude: String?
  @Option(help: ArgumentHelp("Take this node in again.", valueName: "node"))
  var include: String?
  @Option(help: ArgumentHelp("The node that keeps device state.", valueName: "node"))
  var vmstate: String?
  @Option(help: ArgumentHelp("Give a node another name.", valueName: "old=new"))
  var rename: NamedValue?
  @Option(
    help: ArgumentHelp("Say where a node's image is now.", valueName: "node=path"),
    completion: .file())
  var file: NamedValue?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    let isEmpty =
      exclude == nil && include == nil && vmstate == nil && rename == nil && file == nil
    if isEmpty { throw ValidationError("nothing to set: name at least one option") }
  }

  func perform(in session: Session) async throws -> ExitStatus {
    let arguments: QMPValue = .present([
      "name": .string(name), "exclude": exclude.map { .string($0) },
      "include": include.map { .string($0) }, "vmstate": vmstate.map { .string($0) },
      "rename": rename.map { ["old": .string($0.name), "new": .string($0.value)] },
      "file": try file.map {
        try ["node-name": .string($0.name), "filename": .string(session.host.absolute($0.value))]
      },
    ])
    try await session.withEndpoint(machine: Settings.defaultMachine) { endpoint in
      _ = try await endpoint.execute("x-snapjob-machine-set", arguments)
    }
    session.output.acknowledge()
    return .done
  }
}
