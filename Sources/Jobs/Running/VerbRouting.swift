import Dispatch

/// Where a verb has led to.
enum VerbRoute: Sendable {
  /// It was done here.
  case done
  /// Recovery of the job has to be tried again.
  case settle
  /// The process that runs the job of this number has to be asked.
  case elsewhere(Int64)
}

extension JobRunner {
  /// A request is looked at this often.
  private static var answerPeriod: Duration { .milliseconds(20) }

  /// A process that lives looks at what it is asked at once; one that has not after this is stopped, or hangs.
  private static var takingUpLimit: Duration { .seconds(5) }

  /// The process of a job that has ended is given so many thorough looks more to answer.
  private static var lateAnswerCount: Int { 5 }

  /// Asks something of a job of whatever process.
  ///
  /// Returns when the verb is accepted, not when it has had its effect; only a `finalize` of a job
  /// that an earlier commit left pending returns when recovery has settled the job.
  ///
  /// - Parameters:
  ///   - verb: what to do.
  ///   - id: the job.
  ///   - reason: for a cancellation, the sentence that the job ends with; kept only where this process
  ///     runs the job. Nil for QEMU's.
  ///   - limit: how long another process may take to answer. Nil: it has five seconds to take up the request,
  ///     and then as long as it needs.
  /// - Throws: ``JobError`` with QEMU's texts (`Job not found`, …), one that says that the job's
  ///   process has ended, or `timeout`. A request that was given up, also because this task was cancelled, is
  ///   withdrawn: it has no effect later, unless the error says that the process has begun with it. `set-speed`
  ///   carries no speed here: see ``setSpeed(_:of:)``.
  public func apply(
    _ verb: JobVerb, to id: JobID, because reason: String? = nil, within limit: Duration? = nil
  ) async throws(JobError) {
    switch try route(verb, to: id, because: reason) {
    case .done: return
    case .settle: try await settleOnThread(id)
    case .elsewhere(let number):
      try await watching { () async throws(JobError) in
        try await askWorker(verb, of: id, numbered: number, within: limit)
      }
    }
  }

  /// Limits the speed of a job that runs in this process.
  ///
  /// The corresponding QMP command is `block-job-set-speed`.
  ///
  /// - Parameters:
  ///   - bytesPerSecond: the bytes that ``JobControl/advance(_:)`` lets pass in a second; 0 for no
  ///     limit.
  ///   - id: the job.
  /// - Throws: ``JobError`` as ``apply(_:to:because:within:)``; for a negative speed; for another process's job.
  public func setSpeed(_ bytesPerSecond: Int64, of id: JobID) throws(JobError) {
    guard let entry = roster.live(id) else {
      guard let record = try ledger.store.job(id) else { throw .jobNotFound }
      try JobPermissions.check(.setSpeed, of: id, in: record.status)
      throw .speedMissing(id)
    }
    _ = try entry.job.accept(.setSpeed)
    if bytesPerSecond < 0 { throw .negativeSpeed }
    entry.job.limit.set(bytesPerSecond)
  }

  /// Does what can be done here and now.
  ///
  /// - Parameters:
  ///   - verb: what to do.
  ///   - id: the job's name.
  ///   - number: the job's number, if it is known: a job that has got the name since is another one.
  ///   - reason: as for ``apply(_:to:because:)``.
  /// - Returns: what is left to be done.
  /// - Throws: ``JobError`` as ``apply(_:to:because:)``.
  func route(
    _ verb: JobVerb, to id: JobID, numbered number: Int64? = nil, because reason: String? = nil
  ) throws(JobError) -> VerbRoute {
    if let entry = roster.live(id), entry.job.status != .concluded, entry.job.status != .null {
      guard number == nil || entry.job.number == number else { throw .jobNotFound }
      let effect = try entry.job.accept(verb, because: reason)
      if verb == .setSpeed { throw .speedMissing(id) }
      entry.transaction.perform(effect, on: entry.job)
      return .done
    }
    guard let record = try ledger.store.job(id) else {
      roster.forgetStranded(id)
      throw .jobNotFound
    }
    guard number == nil || record.number == number else { throw .jobNotFound }
    if record.status == .concluded {
      try applyToConcluded(verb, record)
      return .done
    }
    if roster.stranded(record) == nil, let worker = record.worker, worker.isAlive {
      return .elsewhere(record.number)
    }
    if verb == .cancel, record.status == .pending, record.error != nil {
      throw .refused(verb, of: id, in: record.status)
    }
    try JobPermissions.check(verb, of: id, in: record.status)
    if verb == .finalize { return .settle }
    throw .orphaned(id, record.worker)
  }

  /// Tries recovery of one job again; may block.
  func settle(_ id: JobID) throws(JobError) {
    let before = try ledger.store.job(id)
    guard let settlement else { throw .inDoubt(id, before?.error) }
    try settlement(self, id)
    if let record = try ledger.store.job(id), record.status == .pending {
      throw .inDoubt(id, record.error)
    }
    roster.forgetStranded(id)
  }

  private func applyToConcluded(_ verb: JobVerb, _ found: JobRecord) throws(JobError) {
    try ledger.whileConcluding { () throws(JobError) in
      guard let record = try ledger.store.job(found.id), record.number == found.number else {
        throw .jobNotFound
      }
      var machine = JobStateMachine(record)
      if try machine.accept(verb) == .forget { try machine.transition(to: .null, in: ledger) }
    }
    if let job = roster.stranded(found)?.job { roster.forget(job) }
  }

  private func settleOnThread(_ id: JobID) async throws(JobError) {
    let outcome: Result<Void, JobError> = await withCheckedContinuation { continuation in
      DispatchQueue(label: "snapjob.settlement").async { [self] in
        continuation.resume(
          returning: Result { () throws(JobError) in try settle(id) })
      }
    }
    try outcome.get()
  }

  private func askWorker(
    _ verb: JobVerb, of id: JobID, numbered number: Int64, within limit: Duration?
  ) async throws(JobError) {
    let store = ledger.store
    let request = try store.request(verb, of: number)
    let lookout = Lookout()
    let clock = ContinuousClock()
    var deadline: ContinuousClock.Instant? = clock.now + (limit ?? Self.takingUpLimit)
    var endedCount = 0
    while true {
      if lookout.look(at: store) {
        // The record first: a worker that has answered may end right after.
        let named = try store.job(id)
        let record = named?.number == number ? named : nil
        if let answer = try store.answer(to: request) {
          return try answer.get()
        }
        if let record, record.status != .concluded {
          guard let worker = record.worker, worker.isAlive else {
            throw .orphaned(id, record.worker)
          }
        } else if lookout.isThoroughLook {
          endedCount += 1
          if endedCount > Self.lateAnswerCount {
            guard let record else { throw .jobNotFound }
            throw .refused(verb, of: id, in: record.status)
          }
        }
      }
      let isCancelled = (try? await Task.sleep(for: Self.answerPeriod)) == nil
      guard isCancelled || deadline.map({ clock.now >= $0 }) == true else { continue }
      let worker = try store.job(id)?.worker
      if try store.withdraw(request) { throw .unanswered(verb, id, worker) }
      // It was taken up, and may have been answered in this very moment.
      if let answer = try store.answer(to: request) { return try answer.get() }
      if isCancelled || limit != nil { throw .unfinished(verb, id, worker) }
      deadline = nil
    }
  }
}
