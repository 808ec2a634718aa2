import Jobs
import QMP
import Synchronization

extension Session {
  /// How long a job's process has to answer before that is said.
  private static var silence: Duration { .seconds(1) }

  /// Asks something of a job of whatever machine and process.
  ///
  /// A signal takes the request back: it has no effect later. A server's request stays with the server.
  ///
  /// - Parameters:
  ///   - command: `job-cancel` and so on.
  ///   - id: the job.
  ///   - timeout: how long its process may take to answer; nil for the endpoint's own limit.
  /// - Returns: done.
  /// - Throws: the endpoint's error, or that the command was interrupted.
  func ask(_ command: String, ofJob id: String, timeout: Seconds?) async throws -> ExitStatus {
    let limit = timeout.map { QMPValue.int(Int64(($0.value * 1000).rounded(.up))) }
    try await withEndpoint { endpoint in
      let request = Task { try await endpoint.ask(command, ofJob: id, within: limit) }
      let notice = Task { [output] in
        try await Task.sleep(for: Self.silence)
        output.note("waiting for the process of job \(id), which has not answered yet")
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
        guard settings.connection == nil else {
          throw CommandFailure(
            .failed,
            "interrupted; the server goes on asking, so this may be done yet. See: "
              + "\(NextStep("job", "show", id))")
        }
        throw CommandFailure(
          .interrupted(by: signal), "interrupted: \((error as? QMPError)?.desc ?? "\(error)")")
      }
    }
    output.acknowledge()
    return .done
  }
}

extension QMPEndpoint {
  /// Asks something of a job, with a limit where the server knows one: QEMU, whose jobs are its own, does not.
  fileprivate func ask(
    _ command: String, ofJob id: String, within limit: QMPValue?
  ) async throws(QMPError) {
    do throws(QMPError) {
      _ = try await execute(command, .present(["id": .string(id), "x-timeout-ms": limit]))
    } catch {
      guard limit != nil, error.desc == "Parameter 'x-timeout-ms' is unexpected" else {
        throw error
      }
      _ = try await execute(command, ["id": .string(id)])
    }
  }
}
