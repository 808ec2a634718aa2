import GRDB
public import Jobs

extension Catalog: JobStore {
  /// Enters new jobs of one transaction with status `created`, all or none.
  ///
  /// The first call makes this process a worker.
  public func insert(_ jobs: [JobRecord]) throws(JobError) -> [JobRecord] {
    let worker = try workers.register()
    let jobs = try database.write { db in
      try JobTable(db).insert(jobs, worker: worker, busy: self.busy)
    }
    pruneIfDue()
    return jobs
  }

  /// Records status changes of one job, all or none; that to `concluded` survives a power failure.
  public func record(_ steps: [JobRecord], at time: Timestamp) throws(JobError) {
    let update: @Sendable (Database) throws -> Void = { db in
      for step in steps {
        try JobTable(db).update(step, at: time)
        if step.status == .concluded { try SnapshotMakerTable(db).note(step) }
      }
    }
    if steps.contains(where: { $0.status == .concluded }) {
      try database.writeDurably(update)
    } else {
      try database.write(update)
    }
  }

  /// Records progress alone.
  public func recordProgress(_ progress: JobProgress, of number: Int64) throws(JobError) {
    try database.write { db in try JobTable(db).update(progress, of: number) }
  }

  /// One job that is not dismissed.
  public func job(_ id: JobID) throws(JobError) -> JobRecord? {
    try database.read { db in try JobTable(db).row(id) }.map { resolved([$0])[0].record }
  }

  /// All jobs that are not dismissed, newest first.
  public func jobs() throws(JobError) -> [JobRecord] {
    resolved(try database.read { db in try JobTable(db).rows() }).map(\.record)
  }

  /// Leaves a verb for the process that runs a job.
  public func request(_ verb: JobVerb, of number: Int64) throws(JobError) -> Int64 {
    try database.write { db in try VerbTable(db).insert(verb, of: number) }
  }

  /// The outcome of a request.
  public func answer(to request: Int64) throws(JobError) -> VerbAnswer? {
    try database.read { db in try VerbTable(db).answer(to: request) }
  }

  /// Takes back a request that no worker has taken up.
  public func withdraw(_ request: Int64) throws(JobError) -> Bool {
    try database.write { db in try VerbTable(db).withdraw(request) }
  }

  /// Takes up a request of a job of this process.
  public func takeUp(_ request: Int64) throws(JobError) -> Bool {
    try database.write { db in try VerbTable(db).takeUp(request) }
  }

  /// Requests for this process's jobs that have no answer yet.
  public func openRequests() throws(JobError) -> [VerbRequest] {
    guard let worker = workers.number else { return [] }
    return try database.read { db in try VerbTable(db).open(for: worker) }
  }

  /// Answers a request.
  public func answer(_ request: Int64, with answer: VerbAnswer) throws(JobError) {
    try database.write { db in try VerbTable(db).answer(request, with: answer) }
  }

  /// Whether it was closed.
  public var isClosed: Bool { database.isClosed }

  /// A number that changes whenever anybody has written, this catalog included.
  public func changeCounter() throws(JobError) -> Int64 { try database.dataVersion() }

  /// Status changes of all processes' jobs with a number above `last`.
  public func events(after last: Int64) throws(JobError) -> [(number: Int64, event: JobEvent)] {
    try database.read { db in try StatusTable(db).events(after: last) }
  }

  /// The number of the newest status change.
  public func lastEventNumber() throws(JobError) -> Int64 {
    try database.read { db in try StatusTable(db).lastNumber() }
  }

  private func busy(_ subject: String, _ job: JobRow) -> JobError {
    let isAlive = job.worker.map(workers.isAlive) ?? false
    let process = job.worker.map { "pid \($0.pid)" } ?? "an unknown process"
    let (id, status) = (job.record.id, job.record.status)
    if !isAlive, status == .pending, let obstacle = job.record.error {
      return JobError(obstacle.kind, "Machine '\(subject)' is busy: \(obstacle.message)")
    }
    let advice =
      switch (isAlive, status) {
      case (false, _): ", which has ended). To settle it: \(NextStep("recover"))"
      case (true, .pending):
        "). It waits for: \(NextStep("job", "finalize", id.description)), or: "
          + "\(NextStep("job", "cancel", id.description)). To wait until then: --wait-lock SECONDS"
      case (true, _): "). To wait for its end: --wait-lock SECONDS"
      }
    return JobError(
      .inUse,
      "Machine '\(subject)' is busy with job '\(id)' (status \(status.rawValue), \(process)\(advice)"
    )
  }
}
