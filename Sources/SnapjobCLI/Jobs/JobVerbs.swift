import QMP

extension Session {
  /// Asks something of a job of whatever machine and process.
  ///
  /// - Parameters:
  ///   - command: `job-cancel` and so on.
  ///   - id: the job.
  /// - Returns: done.
  /// - Throws: the endpoint's error.
  func ask(_ command: String, ofJob id: String) async throws -> ExitStatus {
    try await withEndpoint { _ = try await $0.execute(command, ["id": .string(id)]) }
    output.acknowledge()
    return .done
  }
}
