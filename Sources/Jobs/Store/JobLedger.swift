/// The store together with those who want to know of its changes.
final class JobLedger: Sendable {
  let store: any JobStore
  let broadcast: JobBroadcast
  let signal = ChangeSignal()
  private let conclusions = Guarded(())

  init(store: any JobStore) {
    self.store = store
    broadcast = JobBroadcast(store: store)
  }

  /// Tells everybody in this process that something was stored.
  func announce() {
    broadcast.deliver()
    signal.announce()
  }

  /// Keeps those apart who conclude and dismiss jobs, so that each is forgotten once.
  func whileConcluding<Result: Sendable>(
    _ body: () throws(JobError) -> Result
  ) throws(JobError) -> Result {
    try conclusions.withLock { _ throws(JobError) in try body() }
  }
}
