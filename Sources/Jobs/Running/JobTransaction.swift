import Dispatch

/// What the transactions of one runner share.
struct JobSurroundings: Sendable {
  let ledger: JobLedger
  let roster: JobRoster
  let committer: any Committer
  /// Runs a job's work on a thread that may block.
  let launch: @Sendable (JobID, @escaping @Sendable () -> Void) -> Void
  /// Told what went wrong after a commit, where it can't be a job's error any more.
  let remark: @Sendable (JobID, JobError) -> Void
}

/// The jobs that are committed or undone together; a single job is a transaction of one.
///
/// Each job's work has a thread of its own. What follows it, from `waiting` to `concluded`, happens
/// on the transaction's serial queue, so that only verbs have to be kept apart from it: these change
/// a job's state under its lock, and what they cause is put on the queue.
final class JobTransaction: Sendable {
  /// Touched on the queue only.
  private struct State {
    /// Those that have not ended, newest first.
    var remaining: [Job]
    var prepared: [JobID: any PreparedWork] = [:]
    /// The commit once it is noted.
    var announced: (any AnnouncedCommit)?
    var isAborting = false
    var isCommitting = false
  }

  /// In the order of the request.
  private let jobs: [Job]
  private let surroundings: JobSurroundings
  private let queue = DispatchQueue(label: "snapjob.transaction")
  private let state: Guarded<State>

  /// QEMU adds jobs at the head of a transaction's list and goes through it from there.
  private var newestFirst: [Job] { jobs.reversed() }

  init(_ jobs: [Job], surroundings: JobSurroundings) {
    self.jobs = jobs
    self.surroundings = surroundings
    state = Guarded(State(remaining: jobs.reversed()))
  }

  /// Enters the work of every job.
  func launch() {
    for job in jobs {
      surroundings.launch(job.id) { [self] in run(job) }
    }
  }

  /// Does what an accepted verb asks for.
  func perform(_ effect: VerbEffect, on job: Job) {
    switch effect {
    case .wake, .nothing, .forget: break
    case .leaveUnstarted: queue.async { [self] in jobWasLeft(job) }
    case .abortTransaction: queue.async { [self] in jobWasCancelled(job) }
    case .commit: queue.async { [self] in commit() }
    }
  }

  // MARK: On a thread of the job

  private func run(_ job: Job) {
    var outcome: Result<any PreparedWork, JobError>
    do {
      guard try job.begin() else { return }
      let control = JobControl(job: job)
      try control.checkpoint()
      outcome = .success(try job.work.prepare(control))
      // A job that was told to pause is not committed before it is told to go on. A cancellation
      // is seen on the queue.
      try? control.checkpoint()
    } catch {
      outcome = .failure(JobError(describing: error))
    }
    queue.async { [self, outcome] in workHasReturned(job, outcome) }
  }

  // MARK: On the queue

  private func workHasReturned(_ job: Job, _ outcome: Result<any PreparedWork, JobError>) {
    var failure: JobError?
    switch outcome {
    case .success(let work): state.withLock { state in state.prepared[job.id] = work }
    case .failure(let error): failure = error
    }
    guard job.settleWork(failure: failure) else { return abort(because: job) }
    if jobs.allSatisfy({ $0.status == .waiting }) { allHavePrepared() }
  }

  private func allHavePrepared() {
    for job in newestFirst where !job.becomePending() { return abort(because: job) }
    let isAutoFinalized = jobs.allSatisfy(\.isAutoFinalized)
    do throws(JobError) {
      let announced = try surroundings.committer.announce(members, waits: !isAutoFinalized)
      state.withLock { state in state.announced = announced }
    } catch {
      return rollBack(because: error)
    }
    if isAutoFinalized { return commit() }
    for job in jobs { job.awaitFinalize() }
  }

  /// What the jobs have prepared, in the order of the request.
  private var members: [CommitMember] {
    state.withLock { state in
      jobs.compactMap { job in
        state.prepared[job.id].map { CommitMember(id: job.id, work: $0) }
      }
    }
  }

  /// Ends all jobs with an error before anything has happened.
  private func rollBack(because error: JobError) {
    state.withLock { state in
      state.isAborting = true
      state.remaining = []
    }
    for job in newestFirst { undo(job, because: error) }
  }

  private func jobWasLeft(_ job: Job) {
    guard !isOver else { return }
    _ = job.settleWork(failure: .operationCanceled)
    abort(because: job)
  }

  private func jobWasCancelled(_ job: Job) {
    if !isOver { abort(because: job) }
  }

  private var isOver: Bool { state.withLock { state in state.isAborting || state.isCommitting } }

  /// Undoes the transaction; the other jobs are cancelled by it.
  private func abort(because cause: Job) {
    let isFirst = state.withLock { state in
      defer { state.isAborting = true }
      return !state.isAborting
    }
    if isFirst {
      for job in newestFirst where job !== cause { job.cancelWithTransaction() }
      state.withLock { state in state.announced }?.cancel()
    }
    while let job = nextReturned() {
      undo(job, because: .operationCanceled)
    }
  }

  /// Takes out the first job if its work has returned; later ones wait for it, as in QEMU.
  private func nextReturned() -> Job? {
    state.withLock { state in
      guard let job = state.remaining.first, job.hasReturned else { return nil }
      return state.remaining.removeFirst()
    }
  }

  private func commit() {
    guard !isOver else { return }
    for job in newestFirst where !job.beginCommit() { return abort(because: job) }
    let announced = state.withLock { state in
      state.isCommitting = true
      return state.announced
    }
    guard let outcome = announced?.commit() else { return }
    for job in newestFirst {
      switch outcome {
      case .committed: finish(job)
      case .rolledBack(let error): undo(job, because: error)
      case .inDoubt(let error): leaveInDoubt(job, because: error)
      }
    }
  }

  // MARK: The end of one job

  private func finish(_ job: Job) {
    var result: String?
    do {
      result = try takePrepared(job)?.finish()
    } catch {
      // What the job was asked to do is permanent: it must not report a failure.
      surroundings.remark(job.id, JobError(describing: error))
    }
    job.succeed(result: result)
    conclude(job)
  }

  private func undo(_ job: Job, because error: JobError) {
    job.abort(because: error)
    do {
      try takePrepared(job)?.undo()
    } catch {
      job.noteIncompleteUndo(JobError(describing: error))
    }
    conclude(job)
  }

  private func leaveInDoubt(_ job: Job, because error: JobError) {
    takePrepared(job)?.abandon()
    do throws(JobError) {
      try job.leaveInDoubt(error)
    } catch {
      surroundings.remark(job.id, error)
    }
    surroundings.roster.strand(job, storeFailure: nil)
    surroundings.ledger.signal.announce()
  }

  private func conclude(_ job: Job) {
    do throws(JobError) {
      try job.conclude()
      surroundings.roster.retire(job)
    } catch {
      surroundings.roster.strand(job, storeFailure: error)
    }
    surroundings.ledger.signal.announce()
  }

  private func takePrepared(_ job: Job) -> (any PreparedWork)? {
    state.withLock { state in state.prepared.removeValue(forKey: job.id) }
  }
}
