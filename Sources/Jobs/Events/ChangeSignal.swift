/// Wakes tasks when something was stored, by this process or another.
final class ChangeSignal: Sendable {
  private struct State {
    var generation: UInt64 = 0
    var nextWaiter: UInt64 = 0
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var abandoned: Set<UInt64> = []
  }

  private let state = Guarded(State())

  /// Grows with every change; to be read before what is waited for is looked at.
  var generation: UInt64 { state.withLock { state in state.generation } }

  /// Wakes everybody.
  func announce() {
    let waiters = state.withLock { state in
      state.generation += 1
      defer { state.waiters.removeAll() }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Waits until there was a change after a generation, or the task is cancelled.
  func change(after generation: UInt64) async {
    let number = state.withLock { state in
      defer { state.nextWaiter += 1 }
      return state.nextWaiter
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if state.generation != generation || state.abandoned.contains(number) { return true }
          state.waiters[number] = continuation
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        state.abandoned.insert(number)
        return state.waiters.removeValue(forKey: number)
      }
      waiter?.resume()
    }
    state.withLock { state in _ = state.abandoned.remove(number) }
  }
}
