/// Passes the status changes of all processes on to those who follow them.
///
/// Every change goes through the store and comes from there, so that all followers see the changes
/// of all processes in one order. Our own are fetched as soon as they are stored.
final class JobBroadcast: Sendable {
  private struct State {
    var lastNumber: Int64 = 0
    var nextSubscriber = 0
    var subscribers: [Int: AsyncStream<JobEvent>.Continuation] = [:]
    var isFinished = false
  }

  /// A follower that leaves this many events unread is cut off.
  static let capacity = 1024

  private let store: any JobStore
  private let state = Guarded(State())
  /// Kept apart because a stream may end while the state is held.
  private let ended = Guarded(Set<Int>())

  init(store: any JobStore) { self.store = store }

  /// The status changes from now on; finished at once if the store cannot be read, or after
  /// ``finish()``.
  func subscribe() -> AsyncStream<JobEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: JobEvent.self, bufferingPolicy: .bufferingOldest(Self.capacity))
    state.withLock { state in
      if state.isFinished { return continuation.finish() }
      do throws(JobError) {
        if state.subscribers.isEmpty {
          state.lastNumber = try store.lastEventNumber()
        } else {
          try pass(to: &state)
        }
      } catch {
        continuation.finish()
        return
      }
      let number = state.nextSubscriber
      state.nextSubscriber += 1
      continuation.onTermination = { [weak self] _ in
        self?.ended.withLock { ended in _ = ended.insert(number) }
      }
      state.subscribers[number] = continuation
    }
    return stream
  }

  /// Whether anybody follows.
  var hasSubscribers: Bool {
    state.withLock { state in
      dropEnded(from: &state)
      return !state.subscribers.isEmpty
    }
  }

  /// Passes on what is new in the store.
  ///
  /// What cannot be read now is passed on the next time.
  func deliver() {
    state.withLock { state in
      dropEnded(from: &state)
      if !state.subscribers.isEmpty { try? pass(to: &state) }
    }
  }

  /// Passes on what is new in the store, and ends all streams behind it.
  func finish() {
    deliver()
    state.withLock { state in
      state.isFinished = true
      for continuation in state.subscribers.values { continuation.finish() }
      state.subscribers = [:]
    }
  }

  private func pass(to state: inout State) throws(JobError) {
    for (number, event) in try store.events(after: state.lastNumber) {
      state.lastNumber = number
      for (subscriber, continuation) in state.subscribers {
        if case .enqueued = continuation.yield(event) { continue }
        continuation.finish()
        state.subscribers[subscriber] = nil
      }
    }
  }

  private func dropEnded(from state: inout State) {
    let gone = ended.withLock { ended in
      defer { ended.removeAll() }
      return ended
    }
    for subscriber in gone { state.subscribers[subscriber] = nil }
  }
}
