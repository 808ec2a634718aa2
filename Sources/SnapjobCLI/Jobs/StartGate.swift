/// Holds several followers until the jobs that they follow have been started together.
actor StartGate {
  private var missing: Int
  private var outcome: Result<Void, any Error>?
  private var starter: CheckedContinuation<Void, Never>?
  private var waiting: [CheckedContinuation<Void, any Error>] = []

  /// Makes a gate.
  ///
  /// - Parameter waiting: how many will wait.
  init(waiting: Int) { missing = waiting }

  /// Returns once all who will wait are waiting; from then on none of them misses an event.
  func allWait() async {
    if missing == 0 { return }
    await withCheckedContinuation { starter = $0 }
  }

  /// Waits until the gate is opened.
  ///
  /// - Throws: what kept the jobs from being started.
  func wait() async throws {
    missing -= 1
    if missing == 0 {
      starter?.resume()
      starter = nil
    }
    if let outcome { return try outcome.get() }
    try await withCheckedThrowingContinuation { waiting.append($0) }
  }

  /// Lets all go on.
  func open(failure: (any Error)?) {
    let outcome: Result<Void, any Error> = failure.map { .failure($0) } ?? .success(())
    self.outcome = outcome
    for continuation in waiting { continuation.resume(with: outcome) }
    waiting = []
  }
}
