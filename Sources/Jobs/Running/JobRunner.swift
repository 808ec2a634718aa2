import Dispatch
import Synchronization

/// Runs jobs: the only writer of a status and the only emitter of its event.
///
/// One runner is one worker: the jobs that it starts belong to this process. Verbs for other
/// processes' jobs are passed on through the store, and answered by their runners.
public final class JobRunner: Sendable {
  /// One job to be started.
  public struct Request: Sendable {
    /// What the store is to keep.
    public let record: JobRecord
    /// What it does.
    public let work: any JobWork

    /// Makes a request.
    public init(record: JobRecord, work: any JobWork) {
      self.record = record
      self.work = work
    }
  }

  /// Tries once more to decide what a commit that did not come to its end, or a process that has,
  /// left of a job; may block. It ends in ``JobRunner/conclude(orphan:numbered:error:result:)``.
  public typealias Settlement = @Sendable (JobRunner, JobID) throws(JobError) -> Void

  let ledger: JobLedger
  let roster = JobRoster()
  let settlement: Settlement?
  private let surroundings: JobSurroundings
  private let follower = JobFollower()
  private let settlingRequests = Guarded(Set<Int64>())
  /// Those who wait for jobs or for answers.
  private let watcherCount = Atomic<Int>(0)

  /// Makes a runner.
  ///
  /// - Parameters:
  ///   - store: where jobs are kept.
  ///   - committer: what makes the work of a transaction permanent.
  ///   - settlement: recovery of one job, for a `finalize` of a job that a commit left pending;
  ///     without it, that verb says that `snapjob recover` is to be used.
  ///   - remark: told what went wrong in a job's `finish()`: the commit is done then, so the job
  ///     concludes well and without a result. Also told when the reason why a commit is not
  ///     decided could not be stored.
  public convenience init(
    store: any JobStore, committer: any Committer, settlement: Settlement? = nil,
    remark: @escaping @Sendable (JobID, JobError) -> Void = { _, _ in }
  ) {
    self.init(store: store, committer: committer, settlement: settlement, remark: remark) {
      id, body in
      DispatchQueue(label: "snapjob.job.\(id)").async(execute: body)
    }
  }

  init(
    store: any JobStore, committer: any Committer, settlement: Settlement?,
    remark: @escaping @Sendable (JobID, JobError) -> Void,
    launch: @escaping @Sendable (JobID, @escaping @Sendable () -> Void) -> Void
  ) {
    ledger = JobLedger(store: store)
    self.settlement = settlement
    surroundings = JobSurroundings(
      ledger: ledger, roster: roster, committer: committer, launch: launch, remark: remark)
  }

  // MARK: Jobs

  /// Creates and starts jobs; returns when all are `created`.
  ///
  /// All are created or none. Does nothing but call `onceCreated` if there are none.
  ///
  /// - Parameters:
  ///   - requests: the jobs.
  ///   - grouping: whether they are committed together.
  ///   - onceCreated: called when nothing but itself can keep the jobs from being started. If it
  ///     throws they are forgotten; their only statuses are `created` and `null` then.
  /// - Throws: ``JobError`` if one cannot be created; none is then, and no event is emitted. What
  ///   `onceCreated` throws.
  public func start(
    _ requests: [Request], _ grouping: JobGrouping = .grouped,
    onceCreated: () throws(JobError) -> Void = {}
  ) throws(JobError) {
    if requests.isEmpty { return try onceCreated() }
    var names = Set<JobID>()
    for request in requests where !names.insert(request.record.id).inserted {
      throw .jobIDInUse(request.record.id)
    }
    let records = try ledger.store.insert(requests.map(\.record))
    let jobs = zip(records, requests).map { record, request in
      Job(record, work: request.work, ledger: ledger)
    }
    do {
      try onceCreated()
    } catch {
      for job in jobs.reversed() { try job.forgetUnstarted() }
      throw error
    }
    let groups = grouping == .grouped ? [jobs] : jobs.map { [$0] }
    let transactions = groups.map { JobTransaction($0, surroundings: surroundings) }
    for (group, transaction) in zip(groups, transactions) {
      for job in group { roster.add(job, of: transaction) }
    }
    ledger.announce()
    follow()
    for transaction in transactions { transaction.launch() }
  }

  /// All jobs that are not dismissed, of all processes, newest first; with the live progress of
  /// those that run here.
  public func jobs() throws(JobError) -> [JobRecord] {
    try ledger.store.jobs().map(withLiveProgress)
  }

  /// A record with what this process knows better: the live progress, and of a job whose end could not be
  /// stored that it is pending with an error.
  func withLiveProgress(_ record: JobRecord) -> JobRecord {
    var record = record
    if let entry = roster.live(record) {
      record.progress = entry.job.meter.progress
    } else if record.status != .concluded, let stranded = roster.stranded(record) {
      let snapshot = stranded.job.snapshot
      record.status = .pending
      record.error = snapshot.error ?? stranded.storeFailure
    }
    return record
  }

  /// The status changes of all processes' jobs from now on, in order.
  ///
  /// The stream ends for a reader who leaves 1024 events unread, and at once if the store cannot be
  /// read.
  public func events() -> AsyncStream<JobEvent> {
    let stream = ledger.broadcast.subscribe()
    follow()
    return stream
  }

  /// Ends all streams of ``events()`` behind the events so far; for the end of a process, whose listeners
  /// are to hear everything.
  public func endEvents() { ledger.broadcast.finish() }

  /// Concludes a job whose process has ended, without touching what it worked on.
  ///
  /// A job that is not `pending` passes `aborting`, with its earlier error or a general one if
  /// `error` is nil and it has no result; others conclude as they stand. A job that is concluded already stays as
  /// it is. A job that dismisses itself is forgotten.
  ///
  /// - Parameters:
  ///   - id: the job.
  ///   - number: the job's number, where it is known: a job that has got the name since is another one.
  ///   - error: why it failed; nil if recovery found it done.
  ///   - result: what it did, JSON that this module does not read.
  /// - Throws: ``JobError`` if there is no such job, if it is being run by this process, or from the
  ///   store; the job is as it was then, and it can be tried again.
  public func conclude(
    orphan id: JobID, numbered number: Int64? = nil, error: JobError?, result: String?
  ) throws(JobError) {
    if let entry = roster.live(id), number == nil || entry.job.number == number {
      throw JobError(.inUse, "Job '\(id)' is being run by this process")
    }
    try ledger.whileConcluding { () throws(JobError) in
      guard let record = try ledger.store.job(id), number == nil || record.number == number else {
        throw .jobNotFound
      }
      if record.status == .concluded { return }
      let isDone = error == nil && (record.status == .pending || result != nil)
      var machine = JobStateMachine(record)
      machine.settle(
        error: isDone ? nil : error ?? record.error ?? .orphaned(id, record.worker),
        result: result)
      var steps =
        isDone
        ? JobTransitions.stepsToSuccess(from: record.status)
        : JobTransitions.stepsToConclusion(from: record.status, isFailed: true)
      if record.autoDismiss { steps.append(.null) }
      try machine.transition(through: steps, in: ledger)
    }
    roster.forgetStranded(id)
  }

  /// Notes at a job whose process has ended why recovery cannot conclude it yet: whoever looks at it, waits for it
  /// or wants to finalize it is told so. Only a `pending` job gets a note; its status stays.
  ///
  /// - Parameters:
  ///   - obstacle: what keeps it from its end.
  ///   - id: the job.
  ///   - number: the job's number, where it is known: a job that has got the name since is another one.
  /// - Throws: ``JobError`` from the store; the job is as it was then.
  public func note(
    _ obstacle: JobError, atOrphan id: JobID, numbered number: Int64? = nil
  ) throws(JobError) {
    guard roster.live(id) == nil else { return }
    try ledger.whileConcluding { () throws(JobError) in
      guard let record = try ledger.store.job(id), number == nil || record.number == number,
        record.status == .pending, record.error != obstacle
      else { return }
      var machine = JobStateMachine(record)
      machine.settle(error: obstacle, result: record.result)
      try machine.amend(in: ledger)
    }
  }

  // MARK: Following other processes

  /// Sees to it that the store is looked at while there is need.
  func follow() {
    follower.ensureRunning(while: isFollowing, look: look)
  }

  /// Runs something that needs the store to be looked at meanwhile.
  func watching<Result: Sendable>(
    _ body: () async throws(JobError) -> Result
  ) async throws(JobError) -> Result {
    watcherCount.add(1, ordering: .relaxed)
    defer { watcherCount.subtract(1, ordering: .relaxed) }
    follow()
    return try await body()
  }

  /// Whether anybody waits for a job or an answer.
  var isWatched: Bool { watcherCount.load(ordering: .relaxed) > 0 }

  /// Whether the store is being looked at.
  var isFollowingStore: Bool { follower.isActive }

  private var isFollowing: @Sendable () -> Bool {
    { [self] in
      // Who waits hears of a closed store by a look at it, and leaves.
      isWatched
        || !ledger.store.isClosed && (roster.isBusy || ledger.broadcast.hasSubscribers)
    }
  }

  private var look: @Sendable () -> Void {
    let lookout = Lookout()
    return { [self] in
      let isNews = lookout.look(at: ledger.store)
      if isNews { ledger.announce() }
      if isNews || lookout.isThoroughLook { serveRequests() }
      if lookout.isThoroughLook {
        storeMissingEnds()
        forgetResolved()
      }
    }
  }

  private func serveRequests() {
    guard let requests = try? ledger.store.openRequests() else { return }
    for request in requests where !settlingRequests.withLock({ $0.contains(request.number) }) {
      do throws(JobError) {
        // Whoever asked may have given up and said so.
        guard try ledger.store.takeUp(request.number) else { continue }
        switch try route(request.verb, to: request.id, numbered: request.job) {
        case .done: answer(request, with: .accepted)
        case .settle: settle(request)
        // It is being started: it is met the next time.
        case .elsewhere: break
        }
      } catch {
        answer(request, with: .refused(error))
      }
    }
  }

  private func settle(_ request: VerbRequest) {
    _ = settlingRequests.withLock { numbers in numbers.insert(request.number) }
    DispatchQueue(label: "snapjob.settlement").async { [self] in
      do throws(JobError) {
        try settle(request.id)
        answer(request, with: .accepted)
      } catch {
        answer(request, with: .refused(error))
      }
      _ = settlingRequests.withLock { numbers in numbers.remove(request.number) }
    }
  }

  private func answer(_ request: VerbRequest, with answer: VerbAnswer) {
    // A request without an answer is met again at the next look.
    try? ledger.store.answer(request.number, with: answer)
  }

  /// Lets go of jobs whose commit was in doubt here and that another process has resolved.
  private func forgetResolved() {
    for job in roster.inDoubt {
      do throws(JobError) {
        let record = try ledger.store.job(job.id)
        if record?.number != job.number || record?.status == .concluded { roster.forget(job) }
      } catch {
        // It is looked at the next time.
      }
    }
  }

  private func storeMissingEnds() {
    for job in roster.unstored {
      do throws(JobError) {
        try job.conclude()
        roster.retire(job)
        ledger.signal.announce()
      } catch {
        roster.strand(job, storeFailure: error)
      }
    }
  }
}
