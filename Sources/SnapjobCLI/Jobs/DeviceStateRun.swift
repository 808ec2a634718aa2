import Jobs
import QMP

/// One `devices save` or `devices load` from the command line: the job, and the sentence about it.
struct DeviceStateRun {
  /// The two verbs; the raw value ends the names of jobs.
  enum Verb: String, Sendable, Hashable {
    case save
    case load

    /// The QMP command.
    fileprivate var command: String { "xen-\(rawValue)-devices-state" }
  }

  let verb: Verb
  /// The file's absolute path.
  let file: String
  /// `--job-id`.
  let jobID: String?
  /// `--note`.
  let note: String?
  let session: Session
  /// Members of the command that only this verb has.
  var members: [QMPValue.Member] = []

  /// Does it.
  func perform() async throws -> ExitStatus {
    try await session.withEndpoint { endpoint in
      let id = jobID ?? JobName.make(verb: "devices-\(verb.rawValue)", host: session.host)
      if jobID != nil { try await endpoint.releaseJobID(id) }
      let clock = ContinuousClock()
      let started = clock.now
      var arguments = [.init("filename", .string(file)), .init("x-job-id", .string(id))] + members
      if let note { arguments.append(.init("x-note", .string(note))) }
      let outcome = try await JobFollower(id, on: endpoint, session: session).follow(
        until: .conclusion
      ) { [arguments] in
        _ = try await endpoint.execute(verb.command, .object(arguments))
        session.output.line(id)
      }
      return try report(outcome, elapsed: clock.now - started)
    }
  }

  private func report(_ outcome: JobFollower.Outcome, elapsed: Duration) throws -> ExitStatus {
    let output = session.output
    output.remarks(of: outcome.job)
    if let failure = outcome.job.failure {
      guard let signal = outcome.signal, failure.status == .cancelled else { throw failure }
      throw CommandFailure(
        .interrupted(by: signal),
        "interrupted: job \(outcome.job.id) was cancelled and undone; nothing was changed")
    }
    if outcome.signal != nil { output.note("the job was past its commit point and is done") }
    output.end(outcome.job, sentence(outcome.job, elapsed: elapsed))
    return .done
  }

  private func sentence(_ job: JobView, elapsed: Duration) -> String {
    let name = Table.printable(file)
    switch verb {
    case .save:
      return "Wrote \(name) (\(Quantity.bytes(job.bytesWritten))) in \(Quantity.time(elapsed))."
    case .load:
      let next = job.changedNodes.map { _ in
        " Next: \(NextStep("save", "--tag", "TAG")) puts it into a snapshot."
      }
      return "Loaded \(name) in \(Quantity.time(elapsed)).\(next ?? "")"
    }
  }
}
