public import QMP
import QMPTransport

/// A machine behind a QMP server: `snapjob serve`, QEMU, or another one.
///
/// An endpoint like a monitor in this process. What the server lacks is refused by name; whether it is
/// snapjob decides what it has, see ``isSnapjob``.
public final class RemoteMachine: QMPEndpoint {
  private let client: QMPClient

  private init(_ client: QMPClient) { self.client = client }

  /// Connects.
  ///
  /// - Parameter address: `unix:PATH` or `tcp:HOST:PORT`.
  /// - Returns: the machine; ``close()`` it.
  /// - Throws: `QMPError` of kind `usage` for another address, `connection` if nobody answers there or
  ///   another client has the monitor, `permission`.
  public static func connect(to address: String) async throws(QMPError) -> RemoteMachine {
    RemoteMachine(try await QMPClient.connect(to: try QMPAddress(address)))
  }

  /// Whether the server is snapjob. Another one has QEMU's commands only, as far as it has them, and
  /// the kinds of its failures are not known.
  public var isSnapjob: Bool { client.namesFailureKinds }

  /// Executes one command and waits for its reply.
  ///
  /// - Throws: the server's error. One about a command that it lacks names the server, and is of kind
  ///   `usage`.
  public func execute(
    _ command: String, _ arguments: QMPValue?
  ) async throws(QMPError) -> QMPValue {
    do throws(QMPError) {
      return try await client.execute(command, arguments)
    } catch {
      guard error.errorClass == .commandNotFound, !isSnapjob else { throw error }
      throw QMPError(.commandNotFound, missing(command), kind: "usage")
    }
  }

  /// The server's events from now on.
  public func events() -> AsyncStream<QMPEvent> { client.events() }

  /// Closes the connection; jobs of the server go on.
  public func close() async { await client.close() }

  private func missing(_ command: String) -> String {
    let text = "\(client.address): \(serverName) has no command \(command)"
    guard command.hasPrefix("x-snapjob-") else { return text }
    return text + ", which is snapjob's own. Connect to a snapjob serve, or use what QEMU has: "
      + "query-jobs, job, qmp"
  }

  private var serverName: String {
    func number(_ name: String) -> String {
      if case .int(let value) = client.version["qemu"]?[name] { "\(value)" } else { "?" }
    }
    return "the server there (QEMU \(number("major")).\(number("minor")).\(number("micro")))"
  }
}
