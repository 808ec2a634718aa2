import Dispatch
import Synchronization

/// One job of this process: its state, and the threads of its work that rest at checkpoints.
final class Job: Sendable {
  private struct State {
    var machine: JobStateMachine
    var restingCount = 0
  }

  /// A thread that keeps to the speed limit looks up this often.
  private static let napNanoseconds: UInt64 = 20_000_000

  let id: JobID
  let number: Int64
  let isAutoFinalized: Bool
  let work: any JobWork
  let meter = ProgressMeter()
  let limit = SpeedLimit()
  private let ledger: JobLedger
  private let state: Guarded<State>
  private let needsAttention = Atomic<Bool>(false)
  private let bell = DispatchSemaphore(value: 0)

  /// Takes over a job that the store has just created.
  init(_ record: JobRecord, work: any JobWork, ledger: JobLedger) {
    id = record.id
    number = record.number
    isAutoFinalized = record.autoFinalize
    self.work = work
    self.ledger = ledger
    state = Guarded(State(machine: JobStateMachine(record)))
  }

  /// The job as it is now, with its live progress.
  var snapshot: JobRecord {
    state.withLock { state in
      var record = state.machine.record
      record.progress = meter.progress
      return record
    }
  }

  /// Where the job is.
  var status: JobStatus { state.withLock { state in state.machine.status } }

  /// Whether its work has returned or will never be entered.
  var hasReturned: Bool { state.withLock { state in state.machine.hasReturned } }

  /// Whether it is pending until somebody finalizes its transaction.
  var isAwaitingFinalize: Bool { state.withLock { state in state.machine.isAwaitingFinalize } }

  // MARK: Verbs

  /// Asks something of the job; its threads are woken if that is all there is to do.
  ///
  /// - Parameters:
  ///   - verb: what to do.
  ///   - reason: for a cancellation, the sentence that the job ends with; nil for QEMU's.
  /// - Returns: what is left to be done about it.
  /// - Throws: ``JobError`` with QEMU's text; nothing has changed then.
  func accept(_ verb: JobVerb, because reason: String? = nil) throws(JobError) -> VerbEffect {
    try change { machine throws(JobError) in
      let effect = try machine.accept(verb)
      if verb == .cancel, let reason { machine.fail(JobError(.cancelled, reason)) }
      return effect
    }
  }

  /// Cancels the job because its transaction is undone.
  func cancelWithTransaction() {
    _ = try? change { machine throws(JobError) in machine.cancel() }
  }

  /// Notes that the transaction waits for somebody to finalize it.
  func awaitFinalize() {
    state.withLock { state in state.machine.awaitFinalize() }
    ledger.signal.announce()
  }

  /// Notes that the commit begins; false if the job was cancelled before.
  func beginCommit() -> Bool { state.withLock { state in state.machine.beginCommit() } }

  private func change(
    _ body: (inout JobStateMachine) throws(JobError) -> VerbEffect
  ) throws(JobError) -> VerbEffect {
    let (effect, restingCount) = try state.withLock { state throws(JobError) in
      let effect = try body(&state.machine)
      needsAttention.store(state.machine.needsAttention, ordering: .releasing)
      defer { state.restingCount = 0 }
      return (effect, state.restingCount)
    }
    for _ in 0..<restingCount { bell.signal() }
    return effect
  }

  // MARK: Calls of the work's threads

  /// Serves a pause and a cancellation.
  func checkpoint() throws(JobError) {
    if needsAttention.load(ordering: .acquiring) { try pass(untilCompletion: false) }
  }

  /// Rests until the job is told to complete.
  func awaitCompletion() throws(JobError) {
    try becomeReady()
    try pass(untilCompletion: true)
  }

  /// Makes a running job ready.
  func becomeReady() throws(JobError) {
    try checkpoint()
    try state.withLock { state throws(JobError) in
      if state.machine.status == .running { try move(&state.machine, to: .ready) }
    }
  }

  /// Keeps to the speed limit after some bytes, and passes a checkpoint.
  func advance(_ bytes: Int64) throws(JobError) {
    storeProgressIfDue()
    limit.charge(bytes, now: DispatchTime.now().uptimeNanoseconds)
    while true {
      try checkpoint()
      let delay = limit.delay(now: DispatchTime.now().uptimeNanoseconds)
      if delay == 0 { return }
      let nap = Int(min(delay, Self.napNanoseconds))
      _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .nanoseconds(nap))
    }
  }

  /// Tells the store of the progress if it has not been told for a while.
  func storeProgressIfDue() {
    // Progress may be lost: what the store says of it here is no reason to fail a job.
    if meter.isStoreDue() { try? ledger.store.recordProgress(meter.progress, of: number) }
  }

  private func pass(untilCompletion: Bool) throws(JobError) {
    while true {
      let step = try state.withLock { state throws(JobError) in
        state.machine.update(meter.progress)
        let step = try state.machine.passCheckpoint(untilCompletion: untilCompletion, in: ledger)
        if step == .rest { state.restingCount += 1 }
        return step
      }
      switch step {
      case .proceed: return
      case .cancel: throw .operationCanceled
      case .rest: bell.wait()
      }
    }
  }

  // MARK: Steps of the transaction

  /// Forgets a job that will not be started.
  func forgetUnstarted() throws(JobError) {
    try state.withLock { state throws(JobError) in try move(&state.machine, to: .null) }
  }

  /// Enters the work; false if the job was cancelled before.
  func begin() throws(JobError) -> Bool {
    try state.withLock { state throws(JobError) in
      if state.machine.hasReturned { return false }
      try move(&state.machine, to: .running)
      return true
    }
  }

  /// Takes note of the work's return: `waiting` if it went well, else `aborting`.
  ///
  /// - Returns: whether the job is `waiting`.
  func settleWork(failure: JobError?) -> Bool {
    state.withLock { state in
      state.machine.workHasReturned()
      var failure = failure
      if failure == nil {
        do throws(JobError) {
          if state.machine.isCancelled { throw .operationCanceled }
          try move(&state.machine, to: .waiting)
          return true
        } catch {
          failure = error
        }
      }
      enterAborting(&state.machine, because: failure ?? .operationCanceled)
      return false
    }
  }

  /// Makes a waiting job pending; false if that could not be stored, which is its failure then.
  func becomePending() -> Bool {
    state.withLock { state in
      do throws(JobError) {
        try move(&state.machine, to: .pending)
        return true
      } catch {
        state.machine.fail(error)
        return false
      }
    }
  }

  /// Makes the job `aborting`, unless it is already; the first reason stays.
  func abort(because error: JobError) {
    state.withLock { state in enterAborting(&state.machine, because: error) }
  }

  /// Notes what is left behind by an undo that failed.
  func noteIncompleteUndo(_ cause: JobError) {
    state.withLock { state in
      let error = state.machine.record.error ?? .operationCanceled
      let message = "\(error.message); undoing it is incomplete: \(cause.message)"
      state.machine.settle(error: JobError(error.kind, message), result: nil)
    }
  }

  /// Notes what a committed job did.
  func succeed(result: String?) {
    state.withLock { state in state.machine.settle(error: nil, result: result) }
  }

  /// Keeps the job pending with the reason why its commit is in doubt.
  func leaveInDoubt(_ error: JobError) throws(JobError) {
    try state.withLock { state throws(JobError) in
      state.machine.settle(error: error, result: nil)
      state.machine.update(meter.progress)
      try state.machine.amend(in: ledger)
    }
  }

  /// Concludes the job, and forgets it if it dismisses itself or was never started.
  ///
  /// Can be called again after it threw.
  func conclude() throws(JobError) {
    try ledger.whileConcluding { () throws(JobError) in
      try state.withLock { state throws(JobError) in
        state.machine.update(meter.progress)
        let record = state.machine.record
        var steps = JobTransitions.stepsToConclusion(
          from: record.status, isFailed: record.error != nil)
        // With the conclusion, not after it: a process may end in between, and nobody would dismiss the job.
        if record.autoDismiss || record.started == nil { steps.append(.null) }
        try state.machine.transition(through: steps, in: ledger)
      }
    }
  }

  private func enterAborting(_ machine: inout JobStateMachine, because error: JobError) {
    machine.fail(error)
    let steps = JobTransitions.stepsToConclusion(from: machine.status, isFailed: true)
    // A step that cannot be stored now is made up for by the conclusion.
    for step in steps where step != .concluded {
      do { try move(&machine, to: step) } catch { return }
    }
  }

  private func move(_ machine: inout JobStateMachine, to status: JobStatus) throws(JobError) {
    machine.update(meter.progress)
    try machine.transition(to: status, in: ledger)
  }
}
