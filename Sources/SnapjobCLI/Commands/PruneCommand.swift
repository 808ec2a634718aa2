import ArgumentParser
import Jobs
import QMP

/// `snapjob prune`.
struct PruneCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "prune",
    abstract: "Delete old snapshots that snapjob made, but for the newest.",
    discussion: """
      Of the snapshots whose tags match the pattern and which a job with this catalog made, the newest are \
      kept, the others deleted under one commit. How the image is called or moved does not matter, nor how \
      old they are; a copy of an image is known from the first change on that snapjob makes to it. What \
      counts as newest is the order in which they were made, not the clock. \
      Snapshots of other programs and other catalogs stay, also where one has taken the place of \
      snapjob's under the same tag. Each tag is listed with the reason. On a terminal this is asked about.

      The pattern is a shell's: * any text, ? one character, [a-z] one of a set. Quote it.

      With --json --dry-run an array of tags with action (keep or remove) and reason; without --dry-run \
      the lines of the job, as for delete.

      Examples:
        snapjob prune --match 'nightly-*' --keep-last 7 --dry-run
        snapjob prune --match 'nightly-*' --keep-last 7 --yes
      """)

  @Option(help: ArgumentHelp("The pattern for tags.", valueName: "glob")) var match: String
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many of the newest to keep, at least 1.", valueName: "number"))
  var keepLast: Int
  @OptionGroup var disks: DiskOptions
  @Flag(name: .shortAndLong, help: "Do not ask.") var yes = false
  @OptionGroup(title: "Job options") var job: JobOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if match.isEmpty { throw ValidationError("--match needs a pattern that is not empty") }
  }

  var images: [String] { disks.files }

  func perform(in session: Session) async throws -> ExitStatus {
    try disks.check(session.settings)
    if keepLast < 1 {
      throw CommandFailure(
        .usage,
        "--keep-last takes a number of 1 or more; to delete all, name them: "
          + "\(NextStep("delete", "--tag", "TAG"))")
    }
    let verdicts = try await session.withEndpoint(files: disks.files) { endpoint in
      let disks = try await Disks(disks, vmstate: nil, on: endpoint, session: session)
      let verdicts = try await judge(on: endpoint, disks: disks)
      report(verdicts, to: session.output)
      let count = Self.removed(verdicts).count
      if !job.dryRun, asks(session), count > 0 {
        let what = "prune: delete \(Quantity.count(count, "snapshot")) on \(disks.description)"
        try Confirmation(question: "\(what). Go on? [y/N]").ask(session.output.console)
        guard try await judge(on: endpoint, disks: disks) == verdicts else {
          throw CommandFailure(
            .conflict, "the snapshots have changed meanwhile; nothing was deleted. Run it again")
        }
      }
      return verdicts
    }
    let tags = Self.removed(verdicts)
    if job.dryRun { return .done }
    guard !tags.isEmpty else {
      if !session.output.isQuiet { session.output.line("Nothing to remove.") }
      session.output.acknowledge()
      return .done
    }
    var order = SnapshotOrder(verb: .delete, tags: tags)
    order.members.append(.init("x-must-exist", true))
    return try await SnapshotRun(
      order: order, diskOptions: disks, job: job, isConfirmed: true, session: session
    ).perform()
  }

  private func asks(_ session: Session) -> Bool {
    !yes && !job.isDetachedWorker && session.output.console.isInteractive
  }

  private func judge(
    on endpoint: any QMPEndpoint, disks: Disks
  ) async throws -> [QMPValue] {
    try await Self.judge(match, keepLast: keepLast, devices: disks.devices, on: endpoint)
  }

  /// What is to become of each tag that matches.
  static func judge(
    _ match: String, keepLast: Int, devices: [String], on endpoint: any QMPEndpoint
  ) async throws -> [QMPValue] {
    try await endpoint.execute(
      "x-snapjob-prune-plan",
      [
        "match": .string(match), "keep-last": .int(Int64(keepLast)), "devices": .list(devices),
      ]
    ).elements
  }

  /// Lists what stays and what goes. With `--json` only a dry run does: else the job's lines follow.
  private func report(_ verdicts: [QMPValue], to output: Output) {
    // The process that started this one has listed it.
    if job.isDetachedWorker { return }
    if job.dryRun { output.json(.array(verdicts)) }
    if output.isQuiet, !job.dryRun { return }
    var table = Table([.init("ACTION"), .init("TAG"), .init("REASON")])
    for verdict in verdicts {
      table.add([verdict.text("action"), verdict.text("tag"), verdict.text("reason")])
    }
    if !table.isEmpty { output.table(table) }
    if job.dryRun, Self.removed(verdicts).isEmpty, !output.isQuiet {
      output.line("Nothing to remove.")
    }
  }

  /// The tags that go.
  static func removed(_ verdicts: [QMPValue]) -> [String] {
    verdicts.filter { $0.text("action") == "remove" }.map { $0.text("tag") }
  }
}
