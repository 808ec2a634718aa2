import FileNames
import QMP
import Snapjob

/// Runs the jobs of a file: registers what is to be registered, then one job after the other, or all
/// as a group.
struct JobFileRun {
  let plan: JobFilePlan
  let session: Session

  private var output: Output { session.output }

  /// Does it.
  ///
  /// - Throws: why the first job failed; those after it are not started then.
  func perform() async throws -> ExitStatus {
    try await register()
    if plan.file.isGrouped {
      let jobs = plan.jobs.compactMap { FileJob($0, in: plan, host: session.host) }
      _ = try await run(jobs)
    } else {
      for (index, job) in plan.jobs.enumerated() {
        let signal = try await run(try await fileJobs(job))
        if let signal, index + 1 < plan.jobs.count {
          throw CommandFailure(
            .interrupted(by: signal),
            "interrupted; the jobs from \(plan.file.path):\(plan.jobs[index + 1].line) on were not started"
          )
        }
      }
    }
    return .done
  }

  private func register() async throws {
    for machine in plan.file.machines {
      let new = plan.registrations.filter { $0.machine.hasSameBytes(as: machine.name) }
      guard let first = new.first else { continue }
      if first.isNewMachine {
        let disks = new.map { registration -> QMPValue in
          [
            "node-name": .string(registration.disk.node),
            "filename": .string(registration.disk.file),
          ]
        }
        try await session.withEndpoint(machine: Settings.defaultMachine) { endpoint in
          _ = try await endpoint.execute(
            "x-snapjob-machine-add", ["name": .string(machine.name), "disks": .array(disks)])
        }
      } else {
        try await session.withEndpoint(machine: machine.name) { endpoint in
          for registration in new {
            _ = try await endpoint.execute(
              "blockdev-add",
              [
                "driver": "qcow2", "node-name": .string(registration.disk.node),
                "file": ["driver": "file", "filename": .string(registration.disk.file)],
              ])
          }
        }
      }
    }
  }

  /// The job that an entry comes to; none if a prune finds nothing.
  private func fileJobs(_ job: JobFilePlan.Job) async throws -> [FileJob] {
    guard case .prune(let match, let keepLast, _) = job.action else {
      return [FileJob(job, in: plan, host: session.host)].compactMap { $0 }
    }
    let tags = try await session.withEndpoint(machine: job.machine) { endpoint in
      PruneCommand.removed(
        try await PruneCommand.judge(
          match, keepLast: keepLast, devices: job.devices, on: endpoint))
    }
    if tags.isEmpty, !output.isQuiet {
      output.line("Nothing to remove of \(Table.printable(match)) on \(job.machine).")
    }
    return tags.isEmpty ? [] : [FileJob(job, in: plan, deleting: tags, host: session.host)]
  }

  // MARK: Jobs

  /// - Returns: the signal that came too late to cancel the jobs; nil for none.
  private func run(_ jobs: [FileJob]) async throws -> Int32? {
    guard let first = jobs.first else { return nil }
    let machines = Set(jobs.map { Array($0.machine.utf8) })
    return try await session.withEndpoint(
      machine: first.machine, followsAllMachines: machines.count > 1
    ) { endpoint in
      for job in jobs { try await endpoint.releaseJobID(job.id) }
      let clock = ContinuousClock()
      let start = clock.now
      let outcomes = try await follow(jobs, on: endpoint)
      let elapsed = clock.now - start
      for outcome in outcomes { output.remarks(of: outcome.job) }
      let signal = outcomes.compactMap(\.signal).first
      if let failure = failure(of: outcomes, jobs, signal: signal) { throw failure }
      for (job, outcome) in zip(jobs, outcomes) { report(outcome, of: job, elapsed: elapsed) }
      return signal
    }
  }

  /// Starts the jobs and follows all of them to their ends.
  private func follow(
    _ jobs: [FileJob], on endpoint: any QMPEndpoint
  ) async throws -> [JobFollower.Outcome] {
    let gate = StartGate(waiting: jobs.count - 1)
    let begin: @Sendable () async throws -> Void = {
      await gate.allWait()
      do {
        try await start(jobs, on: endpoint)
      } catch {
        await gate.open(failure: error)
        throw error
      }
      await gate.open(failure: nil)
    }
    return try await withThrowingTaskGroup(of: (Int, JobFollower.Outcome).self) { group in
      for (index, job) in jobs.enumerated() {
        // One cancelled job takes the others of its group with it.
        let follower = JobFollower(
          job.id, on: endpoint, session: session, cancelsOnSignal: index == 0)
        group.addTask {
          let outcome = try await follower.follow(until: .conclusion) {
            if index == 0 { try await begin() } else { try await gate.wait() }
          }
          return (index, outcome)
        }
      }
      var outcomes: [Int: JobFollower.Outcome] = [:]
      for try await (index, outcome) in group { outcomes[index] = outcome }
      return jobs.indices.compactMap { outcomes[$0] }
    }
  }

  private func start(_ jobs: [FileJob], on endpoint: any QMPEndpoint) async throws {
    do {
      if let only = jobs.first, jobs.count == 1 {
        _ = try await endpoint.execute(only.order.verb.command, only.arguments)
      } else {
        let members = jobs.map { job -> QMPValue in
          [
            "machine": .string(job.machine), "command": .string(job.order.verb.command),
            "arguments": job.arguments,
          ]
        }
        _ = try await endpoint.execute("x-snapjob-start-group", ["jobs": .array(members)])
      }
    } catch {
      throw located(CommandFailure(error), jobs.first)
    }
    for job in jobs { output.line(job.id) }
  }

  /// Why the jobs have not ended well: of a group, the job that took the others with it.
  private func failure(
    of outcomes: [JobFollower.Outcome], _ jobs: [FileJob], signal: Int32?
  ) -> CommandFailure? {
    let failures = zip(jobs, outcomes).compactMap { job, outcome in
      outcome.job.failure.map { (job, $0) }
    }
    let cause = failures.first { $0.1.status != .cancelled } ?? failures.first
    guard let (job, failure) = cause else { return nil }
    guard let signal, failure.status == .cancelled else { return located(failure, job) }
    return CommandFailure(
      .interrupted(by: signal),
      "interrupted: job \(job.id) was cancelled and undone; no disk was changed by it")
  }

  private func report(_ outcome: JobFollower.Outcome, of job: FileJob, elapsed: Duration) {
    output.end(
      outcome.job, job.order.doneSentence(outcome.job, disks: job.disks, elapsed: elapsed))
  }

  private func located(_ failure: CommandFailure, _ job: FileJob?) -> CommandFailure {
    guard let job else { return failure }
    return CommandFailure(
      failure.status, "\(job.place): \(failure.message)", class: failure.errorClass,
      machine: job.machine)
  }
}
