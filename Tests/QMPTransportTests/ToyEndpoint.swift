import QMP
import Synchronization

/// An endpoint that a test drives: it answers a few commands, and emits what it is told to.
final class ToyEndpoint: QMPEndpoint {
  static let commands = [
    CommandSignature("query-version", returns: .any), CommandSignature("echo", returns: .any),
    CommandSignature("block"), CommandSignature("unblock", allowsOutOfBand: true),
    CommandSignature("big", returns: .string),
  ]

  private struct State {
    var continuations: [AsyncStream<QMPEvent>.Continuation] = []
    var gate: CheckedContinuation<Void, Never>?
    var isOpen = false
  }

  private let state = Mutex(State())
  let executed = Mutex<[String]>([])

  func execute(_ command: String, _ arguments: QMPValue?) async throws(QMPError) -> QMPValue {
    executed.withLock { $0.append(command) }
    switch command {
    case "query-version": return ["qemu": ["micro": 0, "minor": 2, "major": 7], "package": "toy"]
    case "echo": return arguments ?? [:]
    case "fail": throw QMPError(.genericError, "There is no such thing", kind: "notFound")
    case "big": return .string(String(repeating: "x", count: 1 << 20))
    case "block":
      await withCheckedContinuation { continuation in
        let isOpen = state.withLock { state in
          if !state.isOpen { state.gate = continuation }
          return state.isOpen
        }
        if isOpen { continuation.resume() }
      }
      return [:]
    case "unblock":
      let gate = state.withLock { state in
        state.isOpen = true
        return state.gate
      }
      gate?.resume()
      return [:]
    default: throw QMPError(.commandNotFound, "The command \(command) has not been found")
    }
  }

  func events() -> AsyncStream<QMPEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: QMPEvent.self, bufferingPolicy: .bufferingOldest(1024))
    state.withLock { state in state.continuations.append(continuation) }
    return stream
  }

  /// Clients that listen.
  var listenerCount: Int { state.withLock { state in state.continuations.count } }

  /// Emits an event; a client that has too many unread is cut off.
  func emit(_ name: String, _ data: QMPValue? = nil) {
    let event = QMPEvent(name: name, data: data, microseconds: 1_500_000)
    for continuation in state.withLock({ $0.continuations }) {
      if case .dropped = continuation.yield(event) { continuation.finish() }
    }
  }
}
