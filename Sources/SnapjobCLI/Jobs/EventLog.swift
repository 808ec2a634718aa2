import QMP

/// The status changes of all machines' jobs, read from the jobs' logs.
///
/// An endpoint's events are those of its own machine; the logs in the catalog have every change of
/// every job. They are looked at a few times a second.
struct EventLog {
  let endpoint: any QMPEndpoint
  let interval: Duration

  /// What is known of one job.
  private struct Position {
    var status: String
    var machine: String?
    var count: Int
  }

  /// Reports each change from now on, until cancelled.
  ///
  /// - Parameter report: given the change, its data naming the machine too.
  /// - Throws: the endpoint's error, or the cancellation.
  func follow(_ report: (QMPEvent, String?) -> Void) async throws {
    var known: [String: Position] = [:]
    for job in try await jobs() {
      known[job.id] = Position(
        status: job.status, machine: job.machine, count: try await log(job.id).count)
    }
    while true {
      try await Task.sleep(for: interval)
      let present = try await jobs()
      // Oldest first, so that reports come in the order of things.
      for job in present.reversed() where known[job.id]?.status != job.status {
        let entries = try await log(job.id)
        // A job of an id that was used before starts a log of its own.
        let before = known[job.id]?.count ?? 0
        let start = before > entries.count ? 0 : before
        for entry in entries[start...] {
          report(event(entry, of: job.id, job.machine), job.machine)
        }
        known[job.id] = Position(
          status: job.status, machine: job.machine, count: entries.count)
      }
      let ids = Set(present.map(\.id))
      for (id, position) in known where !ids.contains(id) {
        // Dismissed: the rest of its log is in the history.
        for entry in try await log(id).dropFirst(position.count) {
          report(event(entry, of: id, position.machine), position.machine)
        }
        known[id] = nil
      }
    }
  }

  private func jobs() async throws -> [JobView] {
    try await endpoint.execute("x-snapjob-query-jobs", ["all-machines": true])
      .elements.map(JobView.init)
  }

  private func log(_ id: String) async throws -> [QMPValue] {
    try await endpoint.execute("x-snapjob-job-log", ["id": .string(id)]).elements
  }

  private func event(_ entry: QMPValue, of id: String, _ machine: String?) -> QMPEvent {
    QMPEvent(
      name: "JOB_STATUS_CHANGE",
      data: .present([
        "id": .string(id), "status": .string(entry.text("status")),
        "machine": machine.map { .string($0) },
      ]),
      microseconds: Moment(rfc3339: entry.text("timestamp"))?.microseconds ?? 0)
  }
}
