import ArgumentParser
import QMP

/// `snapjob job wait`.
struct JobWaitCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "wait", abstract: "Wait until jobs have concluded.",
    discussion: """
      The exit code is that of the first job, in the order given, that failed; 7 if the time \
      limit passed. Interrupting it does not touch the jobs.

      Examples:
        snapjob job wait save-20261121-041029-1a2b
        snapjob job wait nightly-web nightly-db --timeout 600
      """)

  @Argument(help: "The jobs' ids.") var ids: [String]
  @Option(help: ArgumentHelp("How long to wait. Default: for ever.", valueName: "seconds"))
  var timeout: Seconds?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.withEndpoint { endpoint in
      for id in ids { _ = try await endpoint.job(id) }
      let outcomes = try await follow(on: endpoint, session: session)
      var first: CommandFailure?
      for outcome in outcomes {
        guard let failure = failure(of: outcome) else {
          session.output.json(["return": outcome.job.info])
          if !session.output.isQuiet { session.output.line("\(outcome.job.id): done") }
          continue
        }
        if first == nil {
          first = failure
        } else {
          session.output.failure(failure)
        }
      }
      if let first { throw first }
      return .done
    }
  }

  private func follow(
    on endpoint: any QMPEndpoint, session: Session
  ) async throws -> [JobFollower.Outcome] {
    let limit = timeout?.duration
    return try await withThrowingTaskGroup(of: (Int, JobFollower.Outcome).self) { group in
      for (index, id) in ids.enumerated() {
        group.addTask {
          let follower = JobFollower(id, on: endpoint, session: session, cancelsOnSignal: false)
          return (index, try await follower.follow(until: .conclusion, limit: limit))
        }
      }
      var outcomes: [(Int, JobFollower.Outcome)] = []
      for try await outcome in group { outcomes.append(outcome) }
      return outcomes.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }

  private func failure(of outcome: JobFollower.Outcome) -> CommandFailure? {
    let job = outcome.job
    if outcome.timedOut, !job.isConcluded {
      return CommandFailure(.timeout, "\(job.id) is still \(job.status) after the time limit")
    }
    return job.failure.map { CommandFailure($0.status, "\(job.id): \($0.message)") }
  }
}
