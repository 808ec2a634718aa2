import ArgumentParser
import QMP

/// `snapjob recover`.
struct RecoverCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Finish what an interrupted job left; every start does it too.",
    discussion: """
      A commit with a record is brought to its end on every disk, one without is taken back; there \
      is nothing to decide. What waits for a disk that never returns is settled by --abandon: the \
      disks within reach are finished, the others are named, and finished should they turn up \
      after all. With --file, --abandon takes the fence of an image away whose catalog is lost.

      Examples:
        snapjob recover --dry-run
        snapjob recover
        snapjob recover save-20261121-041029-1a2b --abandon
        snapjob recover --abandon --file /img/web.qcow2
      """)

  @Argument(help: "Only this job.") var job: String?
  @Flag(help: "Print what would be done, and do nothing.") var dryRun = false
  @Flag(help: "Has no effect of its own: recovery always goes forward.") var forward = false
  @Flag(help: "Settle the job's commit without the disks that are away.") var abandon = false
  @Option(
    name: .customLong("file"), parsing: .upToNextOption,
    help: ArgumentHelp("Images instead of jobs.", valueName: "path"), completion: .file())
  var files: [String] = []
  @Flag(name: .shortAndLong, help: "Do not ask.") var yes = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if forward, abandon { throw ValidationError("--forward and --abandon exclude each other") }
    if abandon, job == nil, files.isEmpty {
      throw ValidationError("--abandon needs a job, or --file")
    }
    if job != nil, !files.isEmpty { throw ValidationError("name a job or --file, not both") }
  }

  func perform(in session: Session) async throws -> ExitStatus {
    if forward { session.output.note("recovery goes forward by itself: nothing is left to decide") }
    let findings = try await session.withEndpoint(
      machine: Settings.defaultMachine, recovers: false
    ) { endpoint in
      try await endpoint.execute(
        "x-snapjob-recover",
        .present([
          "dry-run": dryRun ? true : nil, "id": job.map { .string($0) },
          "force": forward ? "forward" : abandon ? "abandon" : nil,
          "files": files.isEmpty ? nil : .list(try files.map(session.host.absolute)),
        ]))
    }
    if !dryRun, !findings.elements.isEmpty { session.output.noteChange() }
    session.output.json(findings)
    for line in Self.lines(findings.elements) { session.output.sentence(line) }
    if findings.elements.isEmpty, !session.output.isJSON {
      session.output.note("nothing to recover")
    }
    let obstacle = findings.elements.first {
      $0["resolved"]?.asTruth == false || $0["x-kind"]?.asText != nil
    }
    guard let obstacle, !dryRun else { return .done }
    return ExitStatus(kind: obstacle["x-kind"]?.asText)
  }

  /// What was found, for people.
  static func lines(_ findings: [QMPValue]) -> [String] {
    findings.flatMap { finding in
      let jobs = finding.texts("jobs").joined(separator: ", ")
      let open = finding["resolved"]?.asTruth == false ? " (not finished)" : ""
      return ["\(jobs.isEmpty ? "" : "\(jobs): ")\(finding.text("outcome"))\(open)"]
        + finding.texts("images").map { "  \(Table.printable($0))" }
    }
  }
}
