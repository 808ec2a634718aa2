import ArgumentParser
import FileNames
import QMP
import Snapjob

/// `snapjob run`.
struct RunCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the jobs of a file.",
    discussion: """
      The file is YAML: a machine, its disks (registered first where they are not), and jobs in QMP's \
      own words. The whole file is checked before anything happens; a wrong one ends with code 9 and \
      the line, and changes nothing. Jobs run one after the other up to the first that fails, or with \
      transaction: grouped all under one commit, also those of several machines. Nothing is asked.

        machine: web01
        disks: {root: /srv/web01.qcow2}
        jobs:
          - snapshot-save: {tag: "nightly-{date}"}
          - prune: {match: "nightly-*", keep-last: 7}

      What is left out is as on the command line: all disks that are not excluded, the machine's own \
      vmstate, an id made of verb and time. Relative files count from the job file. In texts {date} \
      (2026-11-21), {time} (041029, both local), {machine} and {host} are replaced; {{ is a brace. \
      Several machines stand under machines: {NAME: {disks: {...}}}, and each job has machine: NAME.

      Examples:
        snapjob run nightly.yaml --dry-run
        snapjob run nightly.yaml --json
      """)

  @Argument(help: "The job file.", completion: .file(extensions: ["yaml", "yml"])) var file: String
  @Flag(help: "Print what would happen to which disk, and do nothing.") var dryRun = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let server = try await Self.servedMachine(session)
    let now = Moment(microseconds: session.host.now())
    let file = try JobFile(
      contentsOf: file, machine: server ?? session.settings.machine,
      placeholders: Placeholders(
        date: now.localDateText, time: now.localCompactClockText, host: session.host.name))
    if let server { try Self.check(file, isFor: server) }
    let plan = try await session.withEndpoint(machine: Settings.defaultMachine) { endpoint in
      try await JobFilePlan(file, on: endpoint)
    }
    return dryRun
      ? try await JobFileRehearsal(plan: plan, session: session).perform()
      : try await JobFileRun(plan: plan, session: session).perform()
  }

  /// The machine of the server that is connected to; nil without a connection.
  private static func servedMachine(_ session: Session) async throws -> String? {
    if session.settings.connection == nil { return nil }
    return try await session.withEndpoint { endpoint in
      try await endpoint.execute("x-snapjob-machine-show", nil).text("name")
    }
  }

  /// A server is one machine: what the file has for another one must not be done to it.
  private static func check(_ file: JobFile, isFor server: String) throws(CommandFailure) {
    guard let other = file.machines.first(where: { !$0.name.hasSameBytes(as: server) }) else {
      return
    }
    throw CommandFailure(
      .usage,
      "\(file.path):\(other.line): this is for machine '\(other.name)', and the server is "
        + "'\(server)'. Leave out --connect (SNAPJOB_CONNECT)")
  }
}
