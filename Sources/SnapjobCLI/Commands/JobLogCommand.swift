import ArgumentParser
import QMP

/// `snapjob job log`.
struct JobLogCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "Show each status that a job has had, and when.",
    discussion: """
      Example:
        snapjob job log save-20261121-041029-1a2b
      """)

  @Argument(help: "The job's id.") var id: String
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let log = try await session.withEndpoint { endpoint in
      _ = try await endpoint.job(id)
      return try await endpoint.execute("x-snapjob-job-log", ["id": .string(id)])
    }
    session.output.json(log)
    var table = Table([.init("DATE"), .init("TIME"), .init("STATUS")])
    for entry in log.elements {
      let moment = Moment(rfc3339: entry.text("timestamp"))
      let date = moment.map { String($0.localText.prefix(10)) } ?? ""
      table.add([date, moment?.localClockText ?? entry.text("timestamp"), entry.text("status")])
    }
    session.output.table(table)
    return .done
  }
}
