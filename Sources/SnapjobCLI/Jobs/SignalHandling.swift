import Glibc
import Synchronization

/// The process's signals, taken by the main thread.
///
/// They are blocked in every thread, so nothing is ever interrupted halfway and the receiver may do
/// what a signal handler may not. The main thread waits for them in ``serve()``, and for that reason
/// must not run Dispatch's main queue, which unblocks all signals.
final class SignalHandling: Interruptions {
  private struct State {
    var receiver: (@Sendable (Int32, Int) -> Void)?
    var count = SignalCount()
    var statusReceiver: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())
  private let taken: SignalSet
  /// The signals that were blocked when the program started; what it starts gets these again.
  let initialMask: SignalSet

  /// Blocks the signals. To be called before any other thread is started.
  init() {
    var taken = SignalSet()
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGUSR1] where !Self.isIgnored(signal) {
      taken.insert(signal)
    }
    self.taken = taken
    initialMask = taken.block()
  }

  /// Hands signals on until the process ends.
  func serve() -> Never {
    while let signal = taken.wait() { deliver(signal) }
    // All of them are ignored: there is nothing to wait for but the end.
    while true { pause() }
  }

  func take(_ receiver: @escaping @Sendable (Int32, Int) -> Void) {
    state.withLock {
      $0.receiver = receiver
      $0.count.restart()
    }
  }

  func release() { state.withLock { $0.receiver = nil } }

  func onStatusRequest(_ receiver: (@Sendable () -> Void)?) {
    state.withLock { $0.statusReceiver = receiver }
  }

  func endProcess(_ status: ExitStatus) { _exit(status.rawValue) }

  private func deliver(_ signal: Int32) {
    if signal == SIGUSR1 {
      state.withLock { $0.statusReceiver }?()
      return
    }
    let (receiver, count) = state.withLock { state in
      (state.receiver, state.count.add(signal, at: .now))
    }
    guard let count else { return }
    guard let receiver else { return endProcess(.interrupted(by: signal)) }
    receiver(signal, count)
    state.withLock { $0.count.noteHandled(signal, at: .now) }
  }

  /// Whether whoever started the program wants a signal ignored, as `nohup` does.
  private static func isIgnored(_ signal: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(signal, nil, &action) == 0 else { return false }
    // SIG_IGN is the address 1.
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }
}

/// How often somebody has asked for the end.
///
/// `timeout` sends its signal to the program and then to the group that the program is in: the same signal twice within
/// an instant is one request. Nobody presses Ctrl-C that fast.
struct SignalCount: Sendable {
  /// How soon after one was handled the same signal means the same request.
  static let echo = Duration.milliseconds(150)

  private var count = 0
  private var last: (signal: Int32, end: ContinuousClock.Instant)?

  /// Begins to count anew; what was handled just now still has its echo.
  mutating func restart() { count = 0 }

  /// Counts a signal.
  ///
  /// - Returns: which request it is, from 1 on; nil if it is the one before.
  mutating func add(_ signal: Int32, at instant: ContinuousClock.Instant) -> Int? {
    if let last, last.signal == signal, instant - last.end < Self.echo { return nil }
    count += 1
    return count
  }

  /// Notes that a signal was handled; its echo is counted from here, however long that took.
  mutating func noteHandled(_ signal: Int32, at instant: ContinuousClock.Instant) {
    last = (signal, instant)
  }
}

/// A set of signals.
struct SignalSet: Sendable {
  private(set) var value: sigset_t
  private var isEmpty = true

  init() {
    value = sigset_t()
    sigemptyset(&value)
  }

  mutating func insert(_ signal: Int32) {
    sigaddset(&value, signal)
    isEmpty = false
  }

  /// Blocks these signals in this thread and those it will start.
  ///
  /// - Returns: what was blocked before.
  func block() -> SignalSet {
    var before = SignalSet()
    withUnsafePointer(to: value) { _ = pthread_sigmask(SIG_BLOCK, $0, &before.value) }
    return before
  }

  /// Makes these the signals that this thread blocks.
  func restore() {
    withUnsafePointer(to: value) { _ = pthread_sigmask(SIG_SETMASK, $0, nil) }
  }

  /// Waits for one of these; nil if there is nothing to wait for.
  func wait() -> Int32? {
    if isEmpty { return nil }
    while true {
      var signal: Int32 = 0
      let code = withUnsafePointer(to: value) { sigwait($0, &signal) }
      if code == 0 { return signal }
      if code != EINTR { return nil }
    }
  }
}
