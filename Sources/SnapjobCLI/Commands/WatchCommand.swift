import ArgumentParser
import QMP

/// `snapjob watch`.
struct WatchCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Print the events of jobs until interrupted.",
    discussion: """
      Examples:
        snapjob watch
        snapjob watch --job save-20261121-041029-1a2b --json
        snapjob watch --all-machines
      """)

  @Option(help: ArgumentHelp("Only this job.", valueName: "id")) var job: String?
  @Flag(name: [.customShort("A"), .long], help: "All machines.") var allMachines = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.withEndpoint(followsAllMachines: allMachines) { endpoint in
      var machines: [String: String] = [:]
      for await event in endpoint.events() {
        let id = event.data?.text("id") ?? ""
        if let job, job != id { continue }
        guard allMachines else {
          report(event, machine: nil, output: session.output)
          continue
        }
        let known = machines[id]
        let machine = try await known == nil ? endpoint.findJob(id)?.machine : known
        machines[id] = event.data?.text("status") == "null" ? nil : machine
        report(Self.event(event, ofMachine: machine), machine: machine, output: session.output)
      }
      throw CommandFailure(.connection, "the events have ended: this reader was too slow")
    }
  }

  /// The event with its job's machine beside the data that it has.
  private static func event(_ event: QMPEvent, ofMachine machine: String?) -> QMPEvent {
    let members = event.data?.members ?? []
    let name: QMPValue = machine.map { .string($0) } ?? .null
    return QMPEvent(
      name: event.name, data: .object(members + [.init("machine", name)]),
      microseconds: event.microseconds)
  }

  private func report(_ event: QMPEvent, machine: String?, output: Output) {
    let time = Moment(microseconds: event.microseconds).localClockText
    let status = event.data?.text("status") ?? event.name
    let id = Table.printable(event.data?.text("id") ?? "")
    output.json(JobLines.event(event))
    output.line("\(time)\(allMachines ? "  \(machine ?? "-")" : "")  \(id)  \(status)")
  }
}
