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
    var count = 0
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
      $0.count = 0
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
      state.count += 1
      return (state.receiver, state.count)
    }
    if let receiver {
      receiver(signal, count)
    } else {
      endProcess(.interrupted(by: signal))
    }
  }

  /// Whether whoever started the program wants a signal ignored, as `nohup` does.
  private static func isIgnored(_ signal: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(signal, nil, &action) == 0 else { return false }
    // SIG_IGN is the address 1.
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
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
