import QMP
import Snapjob

/// `run --dry-run`: what a job file would do to which disk.
struct JobFileRehearsal {
  let plan: JobFilePlan
  let session: Session

  private var output: Output { session.output }

  /// Prints it.
  ///
  /// - Throws: why the first job could not be done. What a later one finds depends on those before it, so
  ///   for it that is a line of the plan; with a group none depends on another.
  func perform() async throws -> ExitStatus {
    for registration in plan.registrations {
      output.line(
        "\(registration.machine): \(registration.disk.node): "
          + "\(Table.printable(registration.disk.file)): register")
      output.json([
        "machine": .string(registration.machine), "action": "register",
        "node": .string(registration.disk.node), "filename": .string(registration.disk.file),
      ])
    }
    for (index, job) in plan.jobs.enumerated() {
      do {
        try await rehearse(job)
      } catch let error as QMPError {
        let sentence = "\(plan.file.path):\(job.line): \(error.desc)"
        guard index > 0, !plan.file.isGrouped else {
          throw CommandFailure(ExitStatus(kind: error.kind), sentence, machine: job.machine)
        }
        let steps = output.nextSteps?.about(job.machine)
        output.line(
          "\(steps?.spelled(in: sentence) ?? sentence) (unless the jobs before it change that)")
        output.json(["machine": .string(job.machine), "error": .string(sentence)])
      }
    }
    return .done
  }

  private func rehearse(_ job: JobFilePlan.Job) async throws {
    if case .prune(let match, let keepLast, _) = job.action {
      return try await rehearsePrune(job, match, keepLast)
    }
    guard let fileJob = FileJob(job, in: plan, host: session.host) else { return }
    let disks =
      job.isRegistered
      ? try await session.withEndpoint(machine: job.machine) { endpoint in
        try await planned(fileJob.arguments, fileJob, on: endpoint)
      } : try await plannedOnFiles(job, fileJob)
    let tags = fileJob.order.tags.map(Table.printable).joined(separator: ", ")
    output.line("\(job.machine): \(fileJob.order.verb.rawValue) \(tags)")
    for disk in disks { output.line("  \(SnapshotRun.planLine(disk))") }
    output.json([
      "machine": .string(job.machine), "command": .string(fileJob.order.verb.command),
      "tags": .list(fileJob.order.tags), "disks": .array(disks),
    ])
  }

  private func rehearsePrune(
    _ job: JobFilePlan.Job, _ match: String, _ keepLast: Int
  ) async throws {
    // Of disks that no catalog knows, nothing is known to be snapjob's.
    let verdicts =
      job.isRegistered
      ? try await session.withEndpoint(machine: job.machine) { endpoint in
        try await PruneCommand.judge(match, keepLast: keepLast, devices: job.devices, on: endpoint)
      } : []
    output.line("\(job.machine): prune \(Table.printable(match)), as things are now")
    for verdict in verdicts {
      output.line(
        "  \(verdict.text("action")) \(Table.printable(verdict.text("tag"))): "
          + verdict.text("reason"))
    }
    output.json([
      "machine": .string(job.machine), "command": "prune", "verdicts": .array(verdicts),
    ])
  }

  private func planned(
    _ arguments: QMPValue, _ job: FileJob, on endpoint: any QMPEndpoint
  ) async throws -> [QMPValue] {
    try await endpoint.execute(
      "x-snapjob-plan",
      ["command": .string(job.order.verb.command), "arguments": arguments]
    ).elements
  }

  /// The plan for disks that are still to be registered: on their files, under the names to come.
  private func plannedOnFiles(
    _ job: JobFilePlan.Job, _ fileJob: FileJob
  ) async throws -> [QMPValue] {
    try await session.withEndpoint(files: job.files) { endpoint in
      let shown = try await endpoint.execute("x-snapjob-machine-show", nil)
      let names = Dictionary(
        (shown["nodes"]?.elements ?? []).map {
          (Array($0.text("filename").utf8), $0.text("node-name"))
        },
        uniquingKeysWith: { first, _ in first })
      let interim = Dictionary(
        zip(job.devices, job.files.map { names[Array($0.utf8)] ?? "" }),
        uniquingKeysWith: { first, _ in first }
      )
      let arguments = fileJob.arguments.members.map { member -> QMPValue.Member in
        switch member.name {
        case "devices": .init("devices", .list(job.devices.compactMap { interim[$0] }))
        case "vmstate": .init("vmstate", .string(interim[job.vmstate] ?? ""))
        default: member
        }
      }
      let final = Dictionary(
        interim.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
      return try await planned(.object(arguments), fileJob, on: endpoint).map { disk in
        .object(
          disk.members.map { member in
            member.name == "node"
              ? .init("node", .string(final[disk.text("node")] ?? disk.text("node"))) : member
          })
      }
    }
  }
}
