import Synchronization

/// A start that a signal can give up.
final class Starting: Sendable {
  private struct State {
    var task: Task<Void, any Error>?
    var signal: Int32?
  }

  private let state = Mutex(State())

  /// The signal that came first; nil for none.
  var signal: Int32? { state.withLock { $0.signal } }

  /// Runs the start; it is cancelled once it is given up, at once if it is already.
  ///
  /// - Throws: what the start throws.
  func run(_ start: @escaping @Sendable () async throws -> Void) async throws {
    let task = state.withLock { state in
      let task = Task { try await start() }
      if state.signal != nil { task.cancel() }
      state.task = task
      return task
    }
    try await task.value
  }

  /// Gives the start up; nothing once it is done.
  func giveUp(because signal: Int32) {
    state.withLock { state in
      if state.signal == nil { state.signal = signal }
      state.task?.cancel()
    }
  }
}
