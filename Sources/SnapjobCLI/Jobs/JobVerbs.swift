import QMP
import Synchronization

extension Session {
  /// How long a job's process has to answer before that is said.
  private static var silence: Duration { .seconds(1) }

  /// Asks something of a job of whatever machine and process.
  ///
  /// A signal takes the request back: it has no effect later.
  ///
  /// - Parameters:
  ///   - command: `job-cancel` and so on.
  ///   - id: the job.
  ///   - timeout: how long its process may take to answer; nil for the endpoint's own limit.
  /// - Returns: done.
  /// - Throws: the endpoint's error, or that the command was interrupted.
  func ask(_ command: String, ofJob id: String, timeout: Seconds?) async throws -> ExitStatus {
    let limit = timeout.map { QMPValue.int(Int64(($0.value * 1000).rounded(.up))) }
    let arguments = QMPValue.present(["id": .string(id), "x-timeout-ms": limit])
    try await withEndpoint { endpoint in
      let request = Task { _ = try await endpoint.execute(command, arguments) }
      let notice = Task { [output] in
        try await Task.sleep(for: Self.silence)
        output.note("waiting for the process of job \(id), which does not answer")
      }
      let interruption = Mutex<Int32?>(nil)
      let signals = surroundings.signals
      signals.take { signal, count in
        interruption.withLock { $0 = signal }
        if count > 1 { signals.endProcess(.interrupted(by: signal)) }
        request.cancel()
      }
      defer {
        signals.release()
        notice.cancel()
      }
      do {
        try await request.value
      } catch {
        guard let signal = interruption.withLock({ $0 }) else { throw error }
        throw CommandFailure(
          .interrupted(by: signal), "interrupted: \((error as? QMPError)?.desc ?? "\(error)")")
      }
    }
    output.acknowledge()
    return .done
  }
}
