import Jobs
import QMP

/// One save, load or delete from the command line: the disks, the question, the job, the sentence.
struct SnapshotRun {
  let order: SnapshotOrder
  let diskOptions: DiskOptions
  let job: JobOptions
  /// `--yes`.
  let isConfirmed: Bool
  let session: Session

  private var output: Output { session.output }
  /// Whether the work is handed to a process of its own; in that process it is not.
  private var isHandedOver: Bool {
    (job.detach || job.noAutoFinalize) && !job.isDetachedWorker && !isConnected
  }
  /// Whether the job is a server's, and goes on there without us.
  private var isConnected: Bool { session.settings.connection != nil }

  /// Does it.
  func perform() async throws -> ExitStatus {
    try diskOptions.check(session.settings)
    if order.tags.isEmpty, order.snapshotID == nil {
      throw CommandFailure(.usage, "no snapshot is named: --tag TAG")
    }
    if order.snapshotID == "" {
      throw CommandFailure(.usage, "--id needs an id; see: \(NextStep("list", "--json"))")
    }
    if isConnected, job.finalizeTimeout != nil {
      throw CommandFailure(
        .usage,
        "--finalize-timeout needs the engine in this process: over a connection nobody is "
          + "there to look at the clock. Leave it out, or --connect (SNAPJOB_CONNECT)")
    }
    if isHandedOver, !job.dryRun {
      if asks { try await open { try await confirm(on: $0, disks: try await disks(on: $0)) } }
      return try session.surroundings.spawner.run(workerArguments)
    }
    return try await open { endpoint in
      let disks = try await disks(on: endpoint)
      if job.dryRun { return try await plan(on: endpoint, disks: disks) }
      if asks { try await confirm(on: endpoint, disks: disks) }
      return try await work(on: endpoint, disks: disks)
    }
  }

  private func open<Result>(
    _ body: (any QMPEndpoint) async throws -> Result
  ) async throws -> Result {
    try await session.withEndpoint(files: diskOptions.files, body)
  }

  private func disks(on endpoint: any QMPEndpoint) async throws -> Disks {
    try await Disks(diskOptions, vmstate: order.vmstate, on: endpoint, session: session)
  }

  // MARK: Asking and planning

  private var asks: Bool {
    order.verb != .save && !isConfirmed && !job.isDetachedWorker
      && output.console.isInteractive
  }

  private func confirm(on endpoint: any QMPEndpoint, disks: Disks) async throws {
    // What cannot be done is not asked about.
    _ = try await planned(on: endpoint, disks: disks)
    var risk: QMPValue = [:]
    if order.verb == .load {
      risk = try await endpoint.execute(
        "x-snapjob-bytes-at-risk",
        ["tag": .string(order.tags.first ?? ""), "devices": .list(disks.devices)])
    }
    try Confirmation(
      order, disks: disks, machine: risk["machine"]?.asText, bytesAtRisk: risk.integer("bytes")
    )?.ask(output.console)
  }

  private func planned(
    on endpoint: any QMPEndpoint, disks: Disks
  ) async throws -> QMPValue {
    let id = job.jobID ?? JobName.make(verb: order.verb.rawValue, host: session.host)
    return try await endpoint.execute(
      "x-snapjob-plan",
      [
        "command": .string(order.verb.command),
        "arguments": order.arguments(jobID: id, disks: disks, job: job),
      ])
  }

  private func plan(on endpoint: any QMPEndpoint, disks: Disks) async throws -> ExitStatus {
    let plan = try await planned(on: endpoint, disks: disks)
    output.json(plan)
    for node in plan.elements { output.line(Self.planLine(node)) }
    return .done
  }

  /// What would happen to one disk.
  static func planLine(_ node: QMPValue) -> String {
    let bound = node.isTrue("live") ? "up to " : ""
    var amounts = [("bytes-to-write", "to write"), ("bytes-to-free", "to free")]
      .filter { node.integer($0.0) > 0 }
      .map { "\(bound)\(Quantity.bytes(node.integer($0.0))) \($0.1)" }
    if node["bytes-free"] != nil {
      amounts.append("\(Quantity.bytes(node.integer("bytes-free"))) free there")
    }
    if node["expected-pause-ns"] != nil {
      let pause = Quantity.time(.nanoseconds(node.integer("expected-pause-ns")))
      amounts.append("the guest stood still for \(pause) the last time")
    }
    let amount = amounts.isEmpty ? "" : " (\(amounts.joined(separator: ", ")))"
    return "\(node.text("node")): \(Table.printable(node.text("filename"))): "
      + "\(node.text("action"))\(amount)"
  }

  // MARK: The job

  private func work(on endpoint: any QMPEndpoint, disks: Disks) async throws -> ExitStatus {
    let id = job.jobID ?? JobName.make(verb: order.verb.rawValue, host: session.host)
    if job.jobID != nil { try await endpoint.releaseJobID(id) }
    let arguments = order.arguments(jobID: id, disks: disks, job: job)
    let clock = ContinuousClock()
    let started = clock.now
    if isConnected, job.detach {
      _ = try await endpoint.execute(order.verb.command, arguments)
      output.completed.add("job \(id) goes on in the server")
      reportStart(id, on: disks)
      return .done
    }
    let follower = JobFollower(id, on: endpoint, session: session)
    let outcome = try await follower.follow(until: job.noAutoFinalize ? .pending : .conclusion) {
      _ = try await endpoint.execute(order.verb.command, arguments)
      reportStart(id, on: disks)
    }
    if outcome.job.isConcluded || outcome.job.isInDoubt {
      return try reportEnd(outcome, disks: disks, elapsed: clock.now - started)
    }
    if !(job.detach && job.isDetachedWorker) {
      if isConnected { output.completed.add("job \(id) is prepared") }
      if !output.isQuiet { output.sentence(order.pendingSentence(outcome.job, disks: disks)) }
      output.json(["return": outcome.job.info])
    }
    return isConnected ? .done : try await keep(id, on: endpoint)
  }

  /// The id, and in a worker of `--detach` all that its starter is told.
  private func reportStart(_ id: String, on disks: Disks) {
    if job.detach {
      let created = JobView([
        "status": "created", "type": .string(order.verb.command), "id": .string(id),
        "machine": disks.machine.map { .string($0) } ?? .null,
      ])
      output.json(["return": created.info])
    }
    output.line(id)
    if job.isDetachedWorker, job.detach { letGo("job \(id) goes on in the background") }
  }

  private func reportEnd(
    _ outcome: JobFollower.Outcome, disks: Disks, elapsed: Duration
  ) throws -> ExitStatus {
    output.remarks(of: outcome.job)
    if let failure = outcome.job.failure {
      guard let signal = outcome.signal, failure.status == .cancelled else { throw failure }
      throw CommandFailure(
        .interrupted(by: signal),
        "interrupted: job \(outcome.job.id) was cancelled and undone; no disk was changed")
    }
    if outcome.signal != nil { output.note("the job was past its commit point and is done") }
    output.end(outcome.job, order.doneSentence(outcome.job, disks: disks, elapsed: elapsed))
    return .done
  }

  /// Lets the process go on its own that has started this one; tells it there, and on stderr, if what it was
  /// to print could not be written.
  private func letGo(_ sentence: String) {
    output.completed.add(sentence)
    let failure = output.writeFailure()
    if let failure { output.failure(failure) }
    session.surroundings.spawner.letGo(failure?.status ?? .done)
  }

  /// Keeps a pending job, and with it the images' locks, until somebody finalizes or cancels it.
  private func keep(_ id: String, on endpoint: any QMPEndpoint) async throws -> ExitStatus {
    let outcome = try await JobFollower(id, on: endpoint, session: session).follow(
      until: .conclusion, limit: job.finalizeTimeout?.duration
    ) {
      // Only now: whoever sends a signal after the starter has returned finds it taken.
      if job.isDetachedWorker, !job.detach {
        letGo("job \(id) is prepared and goes on in the background")
      }
    }
    if outcome.timedOut, !outcome.job.isConcluded {
      // It may have been finalized in this very moment; then there is nothing to cancel.
      let limit = job.finalizeTimeout.map { Quantity.time($0.duration) } ?? ""
      _ = try? await endpoint.execute(
        "job-cancel",
        [
          "id": .string(id),
          "x-reason": .string(
            "Operation canceled: nobody has finalized it within \(limit) (--finalize-timeout)"),
        ])
      _ = try await JobFollower(id, on: endpoint, session: session).follow(until: .conclusion)
    }
    return .done
  }

  /// The command line of the process that does the work.
  private var workerArguments: [String] {
    let end = session.arguments.firstIndex(of: "--") ?? session.arguments.endIndex
    return session.arguments[..<end] + [JobOptions.workerFlag] + session.arguments[end...]
  }
}
