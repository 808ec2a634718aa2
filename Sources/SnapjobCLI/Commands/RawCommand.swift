import ArgumentParser
import QMP

/// `snapjob qmp`.
struct RawCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "qmp",
    abstract: "Execute one raw QMP command.",
    discussion: """
      Prints the reply as QMP sends it, one line. A command that starts a job waits for the job's \
      end; with --json its events are printed too, one a line.

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
      guard let id = arguments?["job-id"]?.asText else {
        do {
          Self.write(["return": try await endpoint.execute(command, arguments)], session)
          return .done
        } catch let error as QMPError {
          throw Self.refusal(error, session)
        }
      }
      let outcome = try await JobFollower(id, on: endpoint, session: session).follow(
        until: .conclusion
      ) {
        do {
          Self.write(["return": try await endpoint.execute(command, arguments)], session)
        } catch let error as QMPError {
          throw Self.refusal(error, session)
        }
      }
      if let failure = outcome.job.failure {
        guard let signal = outcome.signal, failure.status == .cancelled else { throw failure }
        throw CommandFailure(.interrupted(by: signal), "interrupted: job \(id) was undone")
      }
      return .done
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
