import ArgumentParser
import QMP

/// `snapjob query-jobs`.
struct QueryJobsCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "query-jobs",
    abstract: "List jobs, newest first.",
    discussion: """
      A concluded job stays until it is dismissed; --history shows what was dismissed too. With \
      --json this is exactly the array that QMP's query-jobs returns; with --history more members.

      Examples:
        snapjob query-jobs
        snapjob query-jobs --json
        snapjob jobs --history --all-machines
      """,
    aliases: ["jobs"])

  @Flag(help: "Dismissed jobs too.") var history = false
  @Flag(name: [.customShort("A"), .long], help: "All machines.") var allMachines = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let jobs = try await session.withEndpoint { endpoint in
      if session.output.isJSON, !history {
        return try await endpoint.execute(
          "query-jobs", allMachines ? ["x-all-machines": true] : nil)
      }
      if !history, !allMachines { return try await endpoint.currentJobs() }
      return try await endpoint.execute(
        "x-snapjob-query-jobs",
        .present([
          "history": history ? true : nil, "all-machines": allMachines ? true : nil,
        ]))
    }
    session.output.json(jobs)
    let table = Self.table(
      session.output.spelled(jobs).elements.map(JobView.init), showsMachine: allMachines)
    if table.isEmpty {
      if !session.output.isJSON { session.output.note("no jobs") }
    } else {
      session.output.table(table)
    }
    return .done
  }

  /// The jobs for people.
  static func table(_ jobs: [JobView], showsMachine: Bool) -> Table {
    let showsError = jobs.contains { $0.error != nil }
    var table = Table(
      [.init("ID")] + (showsMachine ? [.init("MACHINE")] : [])
        + [
          .init("TYPE"), .init("TAG"), .init("STATUS"), .init("PROGRESS", right: true),
          .init("CREATED"),
        ] + (showsError ? [.init("ERROR")] : []))
    for job in jobs {
      let progress = "\(Quantity.bytes(job.current)) / \(Quantity.bytes(job.total))"
      table.add(
        [job.id] + (showsMachine ? [job.machine ?? ""] : [])
          + [
            job.type, job.value.text("tag"), job.status, job.total > 0 ? progress : "",
            ListCommand.localTime(job.value.text("created")),
          ] + (showsError ? [job.error ?? ""] : []))
    }
    return table
  }
}
