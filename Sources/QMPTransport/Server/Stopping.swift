import QMP
import Synchronization

/// Whether a server is stopping, and what its clients are told at the end.
final class Stopping: Sendable {
  private struct State {
    var isStopping = false
    /// The last event, once it has been sent.
    var ending: QMPEvent?
    var nextNumber = 0
    var listeners: [Int: AsyncStream<QMPEvent>.Continuation] = [:]
  }

  private let state = Mutex(State())

  /// Whether nothing is executed any more.
  var isStopping: Bool { state.withLock { state in state.isStopping } }

  /// Has nothing executed from now on.
  func begin() { state.withLock { state in state.isStopping = true } }

  /// Tells every client, now and later, the last event.
  func announce(_ event: QMPEvent) {
    let listeners = state.withLock { state in
      state.isStopping = true
      state.ending = event
      return state.listeners.values.map { $0 }
    }
    for listener in listeners {
      listener.yield(event)
      listener.finish()
    }
  }

  /// The last event, when it comes.
  func announcements() -> AsyncStream<QMPEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: QMPEvent.self, bufferingPolicy: .bufferingOldest(1))
    let (number, ending) = state.withLock { state in
      state.nextNumber += 1
      state.listeners[state.nextNumber] = continuation
      return (state.nextNumber, state.ending)
    }
    continuation.onTermination = { [weak self] _ in
      _ = self?.state.withLock { state in state.listeners.removeValue(forKey: number) }
    }
    if let ending {
      continuation.yield(ending)
      continuation.finish()
    }
    return stream
  }
}
