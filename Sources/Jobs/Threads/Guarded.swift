import Synchronization

/// A value that one thread at a time may touch.
///
/// It is a `Mutex` that ThreadSanitizer understands as well: when threads contend for a `Mutex`, the
/// kernel hands it over unseen, and each access under it is reported as a race. The release at the
/// end of each turn and the acquire at the start of the next say the same once more.
struct Guarded<Value: Sendable>: ~Copyable, Sendable {
  private let mutex: Mutex<Value>
  private let turn = Atomic<UInt8>(0)

  init(_ value: Value) { mutex = Mutex(value) }

  /// Runs a body while no other thread touches the value.
  borrowing func withLock<Result: Sendable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try mutex.withLock { value throws(Failure) in
      _ = turn.load(ordering: .acquiring)
      defer { turn.store(0, ordering: .releasing) }
      return try body(&value)
    }
  }
}
