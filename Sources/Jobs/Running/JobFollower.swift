import Dispatch

/// Looks at regular intervals for what other processes have stored, as long as anybody cares.
final class JobFollower: Sendable {
  /// What is stored elsewhere is seen this much later at most, with the time for one look.
  static let interval = DispatchTimeInterval.milliseconds(40)

  private let queue = DispatchQueue(label: "snapjob.follower")
  private let isRunning = Guarded(false)

  /// Whether it is looking.
  var isActive: Bool { isRunning.withLock { isRunning in isRunning } }

  /// Starts looking, unless it is being done already.
  ///
  /// - Parameters:
  ///   - isNeeded: whether to go on; asked after each look.
  ///   - look: one look; never called by two threads at once.
  func ensureRunning(
    while isNeeded: @escaping @Sendable () -> Bool, look: @escaping @Sendable () -> Void
  ) {
    let isNew = isRunning.withLock { isRunning in
      defer { isRunning = true }
      return !isRunning
    }
    if isNew { schedule(while: isNeeded, look: look) }
  }

  private func schedule(
    while isNeeded: @escaping @Sendable () -> Bool, look: @escaping @Sendable () -> Void
  ) {
    queue.asyncAfter(deadline: .now() + Self.interval) { [self] in
      look()
      // Asked under the lock: who comes to need it later finds it stopped and starts it again.
      let goesOn = isRunning.withLock { isRunning in
        isRunning = isNeeded()
        return isRunning
      }
      if goesOn { schedule(while: isNeeded, look: look) }
    }
  }
}
