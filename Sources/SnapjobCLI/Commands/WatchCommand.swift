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
    try await session.withEndpoint { endpoint in
      if allMachines {
        try await EventLog(endpoint: endpoint, interval: session.host.pollInterval)
          .follow { event, machine in
            report(event, machine: machine, output: session.output)
          }
      } else {
        for await event in endpoint.events() {
          report(event, machine: nil, output: session.output)
        }
        throw CommandFailure(.connection, "the events have ended: this reader was too slow")
      }
    }
    return .done
  }

  private func report(_ event: QMPEvent, machine: String?, output: Output) {
    let id = event.data?.text("id") ?? ""
    if let job, job != id { return }
    let time = Moment(microseconds: event.microseconds).localClockText
    let status = event.data?.text("status") ?? event.name
    output.json(JobLines.event(event))
    let column = allMachines ? "  \(machine ?? "-")" : ""
    output.line("\(time)\(column)  \(Table.printable(id))  \(status)")
  }
}
