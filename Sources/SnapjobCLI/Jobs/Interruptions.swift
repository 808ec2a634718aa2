/// Where SIGINT, SIGTERM and SIGHUP go.
///
/// While nobody takes them, the first one ends the program at once: everything that changes an image
/// can be ended at any instant, and what was being asked for has not begun.
///
/// What ``SignalCount`` takes for one request counts once.
protocol Interruptions: Sendable {
  /// Takes the signals from now on.
  ///
  /// - Parameter receiver: called on a thread of its own with the signal and how many there have
  ///   been, this one included.
  func take(_ receiver: @escaping @Sendable (_ signal: Int32, _ count: Int) -> Void)
  /// Gives the signals back.
  func release()
  /// Sets what SIGUSR1 asks for: where a command is. Nil for nothing; then the signal has no effect.
  func onStatusRequest(_ receiver: (@Sendable () -> Void)?)
  /// Ends the process without unwinding anything.
  func endProcess(_ status: ExitStatus)
}

/// What the first and the second signal mean for a job.
enum InterruptionPolicy {
  /// What to do about a signal.
  enum Action: Sendable, Hashable {
    /// Cancel the job and wait for the undo.
    case cancel
    /// End now; recovery does the rest.
    case leaveToRecovery
  }

  /// What to do about the signal of this number in order, the first being 1.
  static func action(count: Int) -> Action { count <= 1 ? .cancel : .leaveToRecovery }
}
