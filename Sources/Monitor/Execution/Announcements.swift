import QMP
import Synchronization

/// The events of a monitor that no job causes: whoever follows the monitor gets them.
final class Announcements: Sendable {
  private struct State {
    var nextNumber = 0
    var listeners: [Int: AsyncStream<QMPEvent>.Continuation] = [:]
  }

  private let state = Mutex(State())

  /// Sends an event to all who listen now; one who has no room for it is cut off.
  func announce(_ event: QMPEvent) {
    let listeners = state.withLock { state in Array(state.listeners.values) }
    for listener in listeners {
      guard case .enqueued = listener.yield(event) else {
        listener.finish()
        continue
      }
    }
  }

  /// Adds a listener.
  ///
  /// - Returns: its number, for ``remove(_:)``.
  func add(_ listener: AsyncStream<QMPEvent>.Continuation) -> Int {
    state.withLock { state in
      state.nextNumber += 1
      state.listeners[state.nextNumber] = listener
      return state.nextNumber
    }
  }

  /// Takes a listener out.
  func remove(_ number: Int) { state.withLock { state in state.listeners[number] = nil } }
}
