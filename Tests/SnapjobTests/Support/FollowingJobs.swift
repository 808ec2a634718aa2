import QMP
import Testing

extension QMPEndpoint {
  /// What the catalog knows of a job.
  func job(_ id: String) async throws -> QMPValue {
    try #require(
      try await execute("x-snapjob-query-jobs", ["id": .string(id)]).elements.first)
  }

  /// Waits until a job is over.
  func end(of id: String) async throws -> QMPValue {
    while true {
      let job = try await job(id)
      if job["status"] == "concluded" { return job }
      try await Task.sleep(for: .milliseconds(2))
    }
  }

  /// Waits until a job is over, which must end well.
  func finish(_ id: String) async throws {
    let job = try await end(of: id)
    #expect(job["exit-code"] == 0, "\(job)")
    #expect(job["error"] == nil, "\(job)")
  }
}

extension QMPValue {
  /// The elements of a list.
  var elements: [QMPValue] {
    if case .array(let elements) = self { elements } else { [] }
  }
}
