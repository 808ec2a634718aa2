/// How fast a job may be, in bytes per second.
///
/// Each batch of bytes reserves the time that it may take at least; a delay is what is left of it.
final class SpeedLimit: Sendable {
  private struct State {
    var bytesPerSecond: Int64 = 0
    var busyUntil: UInt64 = 0
  }

  /// One batch never delays longer than this, whatever its size.
  static let longestDelayNanoseconds = 3_600e9

  private let state = Guarded(State())

  /// Sets the limit; 0 means none. What was reserved under the old one is forgotten.
  func set(_ bytesPerSecond: Int64) {
    state.withLock { state in
      state = State(bytesPerSecond: bytesPerSecond)
    }
  }

  /// Reserves the time for some bytes that were done by `now`, in nanoseconds of a steady clock.
  func charge(_ bytes: Int64, now: UInt64) {
    state.withLock { state in
      guard state.bytesPerSecond > 0, bytes > 0 else { return }
      let nanoseconds = Double(bytes) / Double(state.bytesPerSecond) * 1e9
      let delay = UInt64(min(nanoseconds, Self.longestDelayNanoseconds))
      state.busyUntil = max(now, state.busyUntil) &+ delay
    }
  }

  /// The nanoseconds to wait from `now` on.
  func delay(now: UInt64) -> UInt64 {
    state.withLock { state in state.busyUntil > now ? state.busyUntil - now : 0 }
  }
}
