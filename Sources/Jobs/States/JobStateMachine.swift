/// What a verb that was accepted asks of those who run the job.
enum VerbEffect: Sendable, Hashable {
  /// Those who rest at a checkpoint are to look again.
  case wake
  /// The job was cancelled before its work was entered; its transaction is to be undone.
  case leaveUnstarted
  /// The job was cancelled after its work had returned; its transaction is to be undone.
  case abortTransaction
  /// The transaction is to be committed.
  case commit
  /// The job is to be forgotten.
  case forget
  /// Nothing is left to do.
  case nothing
}

/// What a thread that passes a checkpoint is to do.
enum CheckpointStep: Sendable, Hashable {
  /// Go on with the work.
  case proceed
  /// Rest until woken, then ask again.
  case rest
  /// Give up: the job is cancelled.
  case cancel
}

/// One job's record, and what was asked of it; decides, but has no threads and waits for nothing.
///
/// ``transition(to:in:)`` is the only place where a job's status changes.
struct JobStateMachine: Sendable {
  /// What the store is told of the job.
  private(set) var record: JobRecord
  /// Whether the user has paused it, at a checkpoint already or not.
  private(set) var isPauseRequested = false
  /// Whether it was cancelled, by the user or with its transaction.
  private(set) var isCancelled = false
  /// Whether a ready job was told to complete.
  private(set) var isCompletionRequested = false
  /// Whether its work has returned or will never be entered.
  private(set) var hasReturned = false
  /// Whether it is pending until somebody finalizes its transaction.
  private(set) var isAwaitingFinalize = false
  /// Whether its commit has begun, or is not decided: it can no longer be cancelled.
  private(set) var isCommitting = false

  /// Takes over a job as the store has it.
  init(_ record: JobRecord) { self.record = record }

  /// Where the job is.
  var status: JobStatus { record.status }

  /// Whether a checkpoint has anything to do.
  var needsAttention: Bool { isPauseRequested || isCancelled }

  /// Checks a step, stores it, emits its event: the only writer of a status.
  ///
  /// `aborting` to `aborting` stores what else has changed and emits nothing.
  ///
  /// - Throws: ``JobError`` for an illegal step or from the store; the status is unchanged then.
  mutating func transition(to status: JobStatus, in ledger: JobLedger) throws(JobError) {
    try transition(through: [status], in: ledger)
  }

  /// The same for several steps, which are stored together: all or none.
  mutating func transition(
    through statuses: [JobStatus], in ledger: JobLedger
  ) throws(JobError) {
    let time = Timestamp.now()
    var steps: [JobRecord] = []
    var next = record
    for status in statuses {
      try JobTransitions.check(record.id, from: next.status, to: status)
      next.status = status
      if status == .running, next.started == nil { next.started = time }
      if status == .concluded { next.concluded = time }
      steps.append(next)
    }
    if steps.isEmpty { return }
    try ledger.store.record(steps, at: time)
    let isChange = steps.contains { $0.status != record.status }
    record = next
    if isChange { ledger.announce() }
  }

  /// Stores what has changed beside the status; emits nothing.
  func amend(in ledger: JobLedger) throws(JobError) {
    try ledger.store.record([record], at: .now())
    ledger.announce()
  }

  /// Asks something of the job.
  ///
  /// - Returns: what is to be done about it.
  /// - Throws: ``JobError`` with QEMU's text; nothing has changed then.
  mutating func accept(_ verb: JobVerb) throws(JobError) -> VerbEffect {
    if verb == .resume, !isPauseRequested { throw .notPaused }
    try JobPermissions.check(verb, of: record.id, in: status)
    switch verb {
    case .cancel:
      if isCommitting { throw .refused(verb, of: record.id, in: status) }
      return cancel()
    case .pause:
      if isPauseRequested { throw .alreadyPaused }
      isPauseRequested = true
      return .wake
    case .resume:
      isPauseRequested = false
      return .wake
    case .setSpeed:
      return .nothing
    case .complete:
      if isCancelled { throw .cannotComplete(record.id) }
      isCompletionRequested = true
      return .wake
    case .finalize:
      if isCommitting { throw .refused(verb, of: record.id, in: status) }
      return .commit
    case .dismiss:
      return .forget
    case .change:
      throw .cannotChange
    }
  }

  /// Cancels the job, on request or because its transaction is undone; a pause ends by it.
  mutating func cancel() -> VerbEffect {
    isCancelled = true
    isPauseRequested = false
    isAwaitingFinalize = false
    isCommitting = false
    switch status {
    case .created:
      hasReturned = true
      return .leaveUnstarted
    case .waiting, .pending:
      return .abortTransaction
    default:
      return .wake
    }
  }

  /// Serves a pause or a cancellation at a checkpoint, with the transitions that belong to it.
  ///
  /// - Parameters:
  ///   - untilCompletion: whether the caller has to rest until it is told to complete.
  ///   - ledger: where the transitions are stored.
  /// - Returns: what the caller is to do.
  /// - Throws: ``JobError`` from the store.
  mutating func passCheckpoint(
    untilCompletion: Bool = false, in ledger: JobLedger
  ) throws(JobError) -> CheckpointStep {
    if isPauseRequested {
      if status == .running { try transition(to: .paused, in: ledger) }
      if status == .ready { try transition(to: .standby, in: ledger) }
      return .rest
    }
    if status == .paused { try transition(to: .running, in: ledger) }
    if status == .standby { try transition(to: .ready, in: ledger) }
    if isCancelled { return .cancel }
    return untilCompletion && !isCompletionRequested ? .rest : .proceed
  }

  /// Notes that the work has returned.
  mutating func workHasReturned() { hasReturned = true }

  /// Notes that the transaction waits for somebody to finalize it.
  mutating func awaitFinalize() { isAwaitingFinalize = true }

  /// Notes that the commit begins, unless the job was cancelled before.
  ///
  /// - Returns: whether it may begin.
  mutating func beginCommit() -> Bool {
    guard !isCancelled, status == .pending else { return false }
    isAwaitingFinalize = false
    isCommitting = true
    return true
  }

  /// Notes why the job fails; the first reason stays.
  mutating func fail(_ error: JobError) { record.error = record.error ?? error }

  /// Notes what the job ends with, in place of what was noted before.
  mutating func settle(error: JobError?, result: String?) {
    record.error = error
    record.result = result
  }

  /// Notes the work done and foreseen.
  mutating func update(_ progress: JobProgress) { record.progress = progress }
}
