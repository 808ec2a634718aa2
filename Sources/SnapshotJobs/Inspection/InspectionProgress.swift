import Synchronization

/// Counts what a command has done that only looks at images, and tells whoever waits for it.
public final class InspectionProgress: Sendable {
  private struct State {
    var current: Int64 = 0
    var total: Int64 = 0
    var lastTold: ContinuousClock.Instant
  }

  /// Between two tellings; nothing is told before it has passed once.
  private static let period = Duration.milliseconds(250)

  private let state: Mutex<State>
  private let tell: (@Sendable (_ current: Int64, _ total: Int64) -> Void)?

  /// Starts with nothing done.
  ///
  /// - Parameter tell: called a few times a second with the bytes done, and those to do as far as they are known;
  ///   nil if nobody wants to know.
  public init(_ tell: (@Sendable (_ current: Int64, _ total: Int64) -> Void)? = nil) {
    state = Mutex(State(lastTold: ContinuousClock.now))
    self.tell = tell
  }

  /// Adds to the bytes to do.
  public func foresee(_ byteCount: Int64) { state.withLock { $0.total &+= byteCount } }

  /// Adds to the bytes done.
  ///
  /// - Throws: `CancellationError` if nobody waits any more.
  public func advance(_ byteCount: Int64) throws {
    let news = state.withLock { state -> (Int64, Int64)? in
      state.current &+= byteCount
      guard tell != nil, ContinuousClock.now - state.lastTold >= Self.period else { return nil }
      state.lastTold = ContinuousClock.now
      return (state.current, max(state.current, state.total))
    }
    if let (current, total) = news { tell?(current, total) }
    if Task.isCancelled { throw CancellationError() }
  }
}
