import QMP

/// One send, receive or transfer from the command line: the job, and the sentence about it.
struct BitmapRun {
  /// The three verbs; the raw value begins the names of jobs.
  enum Verb: String, Sendable, Hashable {
    case send
    case receive
    case transfer

    fileprivate var done: String {
      switch self {
      case .send: "Sent"
      case .receive: "Received"
      case .transfer: "Copied"
      }
    }

    fileprivate var preposition: String { self == .receive ? "from" : "to" }
  }

  /// A member of a command; left out without a value.
  struct Member {
    let name: String
    let value: QMPValue?

    init(_ name: String, _ value: QMPValue?) {
      self.name = name
      self.value = value
    }
  }

  let verb: Verb
  /// The other side, for the sentence.
  let peer: String
  let options: TransferOptions
  let session: Session

  /// Does it.
  ///
  /// - Parameters:
  ///   - command: the QMP command that starts the job.
  ///   - members: its arguments, but for those that all verbs have.
  /// - Returns: done.
  /// - Throws: how the job failed, or why it could not be started.
  func perform(_ command: String, _ members: [Member]) async throws -> ExitStatus {
    let mapping = try options.mappingValue(session.host)
    return try await session.withEndpoint(followsAllMachines: verb == .transfer) { endpoint in
      let id =
        options.jobID ?? JobName.make(verb: "bitmap-\(verb.rawValue)", host: session.host)
      if options.jobID != nil { try await endpoint.releaseJobID(id) }
      let clock = ContinuousClock()
      let started = clock.now
      let arguments = arguments(members, id: id, mapping: mapping)
      let outcome = try await JobFollower(id, on: endpoint, session: session).follow(
        until: .conclusion
      ) {
        _ = try await endpoint.execute(command, arguments)
        session.output.line(id)
        if verb == .receive, !peer.hasPrefix("file:") {
          session.output.note("waiting for a sender at \(peer)")
        }
      }
      return try await report(outcome, elapsed: clock.now - started, on: endpoint)
    }
  }

  private func arguments(_ members: [Member], id: String, mapping: QMPValue?) -> QMPValue {
    // What QEMU's own commands lack begins with x-.
    let prefix = verb == .transfer ? "" : "x-"
    let all =
      members + [
        Member("\(prefix)job-id", .string(id)),
        Member("\(prefix)note", options.note.map { .string($0) }),
        Member("\(prefix)block-bitmap-mapping", mapping),
        Member("x-bitmaps", verb == .transfer ? nil : true),
      ]
    return .object(all.compactMap { member in member.value.map { .init(member.name, $0) } })
  }

  private func report(
    _ outcome: JobFollower.Outcome, elapsed: Duration, on endpoint: any QMPEndpoint
  ) async throws -> ExitStatus {
    let output = session.output
    output.remarks(of: outcome.job)
    if let failure = outcome.job.failure {
      if let signal = outcome.signal, failure.status == .cancelled {
        throw CommandFailure(
          .interrupted(by: signal),
          "interrupted: job \(outcome.job.id) was cancelled; no disk was changed")
      }
      throw try await cause(of: failure, of: outcome.job.id, on: endpoint)
    }
    if outcome.signal != nil { output.note("the job was past its commit point and is done") }
    output.end(outcome.job, sentence(outcome.job, elapsed: elapsed))
    return .done
  }

  /// A job that was cancelled with its transaction tells nothing: the other side's does.
  private func cause(
    of failure: CommandFailure, of id: String, on endpoint: any QMPEndpoint
  ) async throws -> CommandFailure {
    guard verb == .transfer, failure.status == .cancelled else { return failure }
    return try await endpoint.findJob("\(id)-send")?.failure ?? failure
  }

  /// `Sent 2 bitmaps (disk0/b0, disk1/b1) to unix:/run/x.sock in 0.0 s.`
  private func sentence(_ job: JobView, elapsed: Duration) -> String {
    let bitmaps = job.value["result"]?["bitmaps"]?.elements ?? []
    let names = bitmaps.map { Table.printable("\($0.text("node"))/\($0.text("name"))") }
    let list = names.isEmpty ? "" : " (\(names.joined(separator: ", ")))"
    let written = verb == .send ? "." : "; \(Quantity.bytes(job.bytesWritten)) written."
    return "\(verb.done) \(Quantity.count(bitmaps.count, "bitmap"))\(list) \(verb.preposition) "
      + "\(Table.printable(peer)) in \(Quantity.time(elapsed))\(written)"
  }
}
