import ArgumentParser
import QMP

/// `snapjob qmp`.
struct RawCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "qmp",
    abstract: "Execute one raw QMP command.",
    discussion: """
      Prints the reply as QMP sends it, one line. A command that starts jobs waits for their end; \
      with --json their events are printed too, one a line.

      Examples:
        snapjob qmp query-jobs
        snapjob qmp query-named-block-nodes '{"flat": true}'
        snapjob qmp snapshot-delete '{"job-id": "d0", "tag": "old", "devices": ["disk0"]}'
      """)

  @Argument(help: "The command's name.") var command: String
  @Argument(help: "Its arguments, a JSON object.") var arguments: String?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let arguments = try parsedArguments()
    let command = command
    return try await session.withEndpoint { endpoint in
      let execute: @Sendable () async throws -> Void = {
        do {
          Self.write(["return": try await endpoint.execute(command, arguments)], session)
        } catch let error as QMPError {
          throw Self.refusal(error, session)
        }
      }
      let jobs = Self.jobs(in: arguments)
      if jobs.isEmpty { try await execute() }
      for outcome in try await Self.follow(jobs, on: endpoint, session, execute) {
        guard let failure = outcome.job.failure else { continue }
        guard let signal = outcome.signal, failure.status == .cancelled else { throw failure }
        throw CommandFailure(
          .interrupted(by: signal), "interrupted: job \(outcome.job.id) was undone")
      }
      return .done
    }
  }

  /// The ids of the jobs that the command is to start: its own, or those of a transaction's actions.
  private static func jobs(in arguments: QMPValue?) -> [String] {
    if let id = arguments?["job-id"]?.asText { return [id] }
    guard case .array(let actions) = arguments?["actions"] else { return [] }
    return actions.compactMap { $0["data"]?["job-id"]?.asText }
  }

  /// Follows jobs to their end; a signal cancels the first of them, and with it its group.
  private static func follow(
    _ jobs: [String], on endpoint: any QMPEndpoint, _ session: Session,
    _ start: @escaping @Sendable () async throws -> Void
  ) async throws -> [JobFollower.Outcome] {
    try await withThrowingTaskGroup(of: (Int, JobFollower.Outcome).self) { group in
      for (index, id) in jobs.enumerated().reversed() {
        let isFirst = index == 0
        let follower = JobFollower(id, on: endpoint, session: session, cancelsOnSignal: isFirst)
        group.addTask {
          (
            index,
            try await follower.follow(
              until: .conclusion, start: { if isFirst { try await start() } })
          )
        }
      }
      var outcomes: [(Int, JobFollower.Outcome)] = []
      for try await outcome in group { outcomes.append(outcome) }
      return outcomes.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }

  private func parsedArguments() throws -> QMPValue? {
    guard let arguments else { return nil }
    let value: QMPValue
    do {
      value = try QMPValue(parsing: arguments)
    } catch {
      throw CommandFailure(.usage, "the arguments are no JSON: \(error.desc)")
    }
    guard case .object = value else {
      throw CommandFailure(.usage, "the arguments have to be a JSON object")
    }
    return value
  }

  private static func write(_ reply: QMPValue, _ session: Session) {
    session.output.console.out.write(reply.jsonText + "\n")
  }

  /// The reply of a refused command goes to stdout also without `--json`.
  private static func refusal(_ error: QMPError, _ session: Session) -> CommandFailure {
    let failure = CommandFailure(error)
    if !session.output.isJSON {
      session.output.console.out.write(failure.json.jsonText + "\n")
    }
    return failure
  }
}
