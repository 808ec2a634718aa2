import JobCatalog
import Logging
import QMP
import QMPTransport

/// A running machine's monitor that this process has, and that it shares with other processes of its
/// catalog: they connect to a socket beside the catalog as if it were the monitor itself.
final class SharedMonitor: Sendable {
  private let client: QMPClient
  private let claim: MonitorClaim
  private let server: QMPServer
  private let serving: Task<Void, Never>

  /// Begins to share.
  ///
  /// - Parameters:
  ///   - client: the connection to the monitor.
  ///   - claim: the right to it.
  ///   - logger: told if others cannot be let in; they wait for their turn then.
  init(_ client: QMPClient, _ claim: MonitorClaim, logger: Logger) {
    let server = QMPServer(endpoint: Relay(client: client), commands: [])
    self.client = client
    self.claim = claim
    self.server = server
    serving = Task {
      do throws(QMPError) {
        try await server.run(.path(claim.sharingPath))
      } catch {
        logger.warning("other processes cannot share the monitor: \(error.desc)")
      }
    }
  }

  /// What the machine tells of, from now on; the stream ends when it goes away.
  func events() -> AsyncStream<QMPEvent> { client.events() }

  /// How long others may go on with what they are at.
  private static let grace = Duration.seconds(10)

  /// Lets nobody in any more, gives those who are there a while, and gives the monitor to the next one.
  func close() async {
    await server.close(within: Self.grace)
    await serving.value
    await client.close()
    claim.release()
  }
}

/// A monitor as others get it passed on.
private struct Relay: QMPEndpoint {
  let client: QMPClient

  func execute(
    _ command: String, _ arguments: QMPValue?
  ) async throws(QMPError) -> QMPValue {
    // Asked before the greeting, which must come at once also while the machine is busy.
    if command == "query-version" { return client.version }
    return try await client.execute(command, arguments)
  }

  func events() -> AsyncStream<QMPEvent> { client.events() }
}
