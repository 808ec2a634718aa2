import QMP
import Synchronization

/// A monitor that answers from a script: what QEMU does at moments that no test could hit.
final class ToyMonitor: QMPEndpoint {
  private struct State {
    var replies: [String: [QMPValue]]
    var commands: [String] = []
  }

  private let state: Mutex<State>

  /// - Parameter replies: for each command, one after the other; the last one again and again.
  init(_ replies: [String: [QMPValue]]) { state = Mutex(State(replies: replies)) }

  /// What was asked for so far.
  var commands: [String] { state.withLock { state in state.commands } }

  func execute(
    _ command: String, _ arguments: QMPValue?
  ) async throws(QMPError) -> QMPValue {
    let reply = state.withLock { state -> QMPValue? in
      state.commands.append(command)
      guard let replies = state.replies[command], let first = replies.first else { return nil }
      if replies.count > 1 { state.replies[command]?.removeFirst() }
      return first
    }
    guard let reply else {
      throw QMPError(.commandNotFound, "The command \(command) has not been found")
    }
    return reply
  }

  /// No events: a reader who was cut off.
  func events() -> AsyncStream<QMPEvent> {
    AsyncStream { $0.finish() }
  }
}
