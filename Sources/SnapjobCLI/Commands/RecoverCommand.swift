import ArgumentParser
import QMP

/// `snapjob recover`.
struct RecoverCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "recover",
    abstract: "Settle what an interrupted job left; every start does it too.",
    discussion: """
      A job that cannot be settled by itself waits for --forward (it is completed where it is \
      missing; what was written there since is lost, so this is asked about on a terminal) or \
      --abandon (images that nobody opened go back, the others stay as they are). With --file, \
      --abandon gives up what no job stands for: the commit of a command without a job, or the \
      fence of an image whose catalog is lost.

      Examples:
        snapjob recover --dry-run
        snapjob recover
        snapjob recover save-20261121-041029-1a2b --forward
        snapjob recover --abandon --file /img/web.qcow2
      """)

  @Argument(help: "Only this job.") var job: String?
  @Flag(help: "Print what would be done, and do nothing.") var dryRun = false
  @Flag(help: "Complete the job where it is missing.") var forward = false
  @Flag(help: "Close the job's record; take back what nobody has opened.") var abandon = false
  @Option(
    name: .customLong("file"), parsing: .upToNextOption,
    help: ArgumentHelp("Images instead of jobs.", valueName: "path"), completion: .file())
  var files: [String] = []
  @Flag(name: .shortAndLong, help: "Do not ask.") var yes = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if forward, abandon { throw ValidationError("--forward and --abandon exclude each other") }
    if forward, job == nil { throw ValidationError("--forward needs a job") }
    if abandon, job == nil, files.isEmpty {
      throw ValidationError("--abandon needs a job, or --file")
    }
    if job != nil, !files.isEmpty { throw ValidationError("name a job or --file, not both") }
  }

  func perform(in session: Session) async throws -> ExitStatus {
    if forward, !yes, !dryRun, let job {
      try Confirmation(
        question: "complete job \(Table.printable(job)) where it is missing; what was written "
          + "there since then will be lost. Go on? [y/N]"
      ).ask(session.output.console)
    }
    let findings = try await session.withEndpoint(
      machine: Settings.defaultMachine, recovers: false
    ) { endpoint in
      try await endpoint.execute(
        "x-snapjob-recover",
        .present([
          "dry-run": dryRun ? true : nil, "id": job.map { .string($0) },
          "force": forward ? "forward" : abandon ? "abandon" : nil,
          "files": files.isEmpty ? nil : .list(files.map(session.host.absolute)),
        ]))
    }
    session.output.json(findings)
    for line in Self.lines(findings.elements) { session.output.line(line) }
    if findings.elements.isEmpty, !session.output.isJSON {
      session.output.note("nothing to recover")
    }
    let isSettled = findings.elements.allSatisfy { $0["resolved"]?.asTruth ?? true }
    return isSettled || dryRun ? .done : .conflict
  }

  /// What was found, for people.
  static func lines(_ findings: [QMPValue]) -> [String] {
    findings.flatMap { finding in
      let jobs = finding.texts("jobs").joined(separator: ", ")
      let open = finding["resolved"]?.asTruth == false ? " (not settled)" : ""
      return ["\(jobs.isEmpty ? "" : "\(jobs): ")\(finding.text("outcome"))\(open)"]
        + finding.texts("images").map { "  \(Table.printable($0))" }
    }
  }
}
