import Synchronization

@testable import SnapjobCLI

/// Signals that a test sends.
final class FakeInterruptions: Interruptions {
  private struct State {
    var receiver: (@Sendable (Int32, Int) -> Void)?
    var count = 0
    var ends: [ExitStatus] = []
    var statusReceiver: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  func take(_ receiver: @escaping @Sendable (Int32, Int) -> Void) {
    state.withLock {
      $0.receiver = receiver
      $0.count = 0
    }
  }

  func onStatusRequest(_ receiver: (@Sendable () -> Void)?) {
    state.withLock { $0.statusReceiver = receiver }
  }

  func release() { state.withLock { $0.receiver = nil } }

  func endProcess(_ status: ExitStatus) { state.withLock { $0.ends.append(status) } }

  /// Sends a signal to whoever has taken them.
  func send(_ signal: Int32) {
    let (receiver, count) = state.withLock { state in
      state.count += 1
      return (state.receiver, state.count)
    }
    receiver?(signal, count)
  }

  /// Asks where the command is.
  func askForStatus() { state.withLock { $0.statusReceiver }?() }

  /// How the process would have been ended.
  var ends: [ExitStatus] { state.withLock { $0.ends } }
  /// Whether somebody has taken the signals.
  var isTaken: Bool { state.withLock { $0.receiver != nil } }
}
