extension JobRunner {
  /// Waits until a job of whatever process has concluded (or is `pending` and waits for a finalize,
  /// if that is asked for) and returns its record; the last known one if it has been dismissed.
  ///
  /// A record that comes back `pending` with an `error` is of a job whose commit is in doubt:
  /// recovery decides later.
  ///
  /// - Parameters:
  ///   - id: the job.
  ///   - orPending: whether a job that waits for a finalize ends the waiting as well. Of another
  ///     process's job this is told from its transaction: one member is not finalized by itself.
  /// - Returns: the record, `concluded` or `pending`.
  /// - Throws: ``JobError``: `Job not found`; the job's process has ended before the job; the end of
  ///   the job could not be stored; the store's own failure; the task was cancelled.
  public func wait(for id: JobID, orPending: Bool = false) async throws(JobError) -> JobRecord {
    try await watching { () async throws(JobError) in
      let firstEvent = try ledger.store.lastEventNumber()
      var last: JobRecord?
      while true {
        let generation = ledger.signal.generation
        if let record = try ledger.store.job(id), last == nil || last?.number == record.number {
          last = record
          if try isOver(record, orPending: orPending) { return finalRecord(record) }
        } else {
          return try dismissedRecord(of: id, lastKnown: last, since: firstEvent)
        }
        await ledger.signal.change(after: generation)
        if Task.isCancelled {
          throw JobError(.general, "Waiting for job '\(id)' was given up")
        }
      }
    }
  }

  /// Whether the waiting ends with what the store has of a job.
  private func isOver(_ record: JobRecord, orPending: Bool) throws(JobError) -> Bool {
    if record.status == .concluded { return true }
    if let stranded = roster.stranded(record) {
      if let failure = stranded.storeFailure { throw failure }
      return true
    }
    if record.status == .pending {
      // As long as the job is still held here, a verb would meet it in its commit.
      if record.error != nil, roster.live(record) == nil { return true }
      if orPending, try isAwaitingFinalize(record) { return true }
    }
    // A job that has ended here since the store was asked is met the next time.
    let isHere = roster.live(record) != nil || roster.ended(record.id)?.number == record.number
    if !isHere, record.worker?.isAlive != true { throw .orphaned(record.id, record.worker) }
    return false
  }

  /// What is in the store, or known better here.
  private func finalRecord(_ record: JobRecord) -> JobRecord {
    if record.status != .concluded, let stranded = roster.stranded(record) {
      return stranded.job.snapshot
    }
    return withLiveProgress(record)
  }

  /// The record of a job that the store no longer has among those that are not dismissed.
  private func dismissedRecord(
    of id: JobID, lastKnown: JobRecord?, since firstEvent: Int64
  ) throws(JobError) -> JobRecord {
    // The live job first: it goes from there to the ended ones at once.
    let live = lastKnown.map { roster.live($0) } ?? roster.live(id)
    if let live { return concluded(live.job.snapshot) }
    if let record = roster.ended(id), lastKnown == nil || lastKnown?.number == record.number {
      return record
    }
    guard var record = lastKnown else { throw .jobNotFound }
    let events = try ledger.store.events(after: firstEvent)
    if record.error == nil,
      events.contains(where: { $0.event.id == id && $0.event.status == .aborting })
    {
      record.error = JobError(
        .general, "Job '\(id)' failed, and was dismissed before it was asked why")
    }
    return concluded(record)
  }

  private func isAwaitingFinalize(_ record: JobRecord) throws(JobError) -> Bool {
    if let entry = roster.live(record) { return entry.job.isAwaitingFinalize }
    if !record.autoFinalize { return true }
    return try ledger.store.jobs().contains { other in
      other.transaction == record.transaction && !other.autoFinalize
    }
  }

  private func concluded(_ record: JobRecord) -> JobRecord {
    var record = record
    record.status = .concluded
    return record
  }
}
