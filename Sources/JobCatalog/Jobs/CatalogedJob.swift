public import Jobs

/// A job of the catalog, dismissed or not.
public struct CatalogedJob: Sendable, Hashable {
  /// Its number in this catalog. An id can be taken again after a dismissal; a number never is.
  public let number: Int64
  /// Everything known of it. A concluded job keeps this status when it is dismissed.
  public let record: JobRecord
  /// When it was dismissed; nil while `query-jobs` tells of it.
  public let dismissed: Timestamp?
}

extension Catalog {
  /// Jobs of the catalog, newest first.
  ///
  /// - Parameters:
  ///   - subject: only jobs on this machine; nil means those that name none (`--file`).
  ///   - allSubjects: jobs on whatever machine; `subject` is not looked at then.
  ///   - id: only jobs of this id; several can have had it one after the other.
  ///   - includeDismissed: the history as well, not only what `query-jobs` tells of.
  /// - Returns: the jobs, those of other processes with what can be said of these now.
  /// - Throws: `JobError` if the catalog cannot be read.
  public func history(
    subject: String?, allSubjects: Bool, id: JobID? = nil, includeDismissed: Bool = true
  ) throws(JobError) -> [CatalogedJob] {
    let rows = try database.read { db in
      try JobTable(db).history(
        subject: subject, allSubjects: allSubjects, id: id, includeDismissed: includeDismissed)
    }
    return resolved(rows)
  }

  /// The status changes of one job with their times, oldest first.
  public func statusLog(
    of job: CatalogedJob
  ) throws(JobError) -> [(status: JobStatus, time: Timestamp)] {
    try database.read { db in try StatusTable(db).changes(of: job.number) }
  }

  /// The status changes of the newest job of this id, dismissed or not.
  ///
  /// - Throws: `JobError` with QEMU's text `Job not found` if there never was one.
  public func statusLog(of id: JobID) throws(JobError) -> [(status: JobStatus, time: Timestamp)] {
    try database.read { db in
      let jobs = try JobTable(db).history(
        subject: nil, allSubjects: true, id: id, includeDismissed: true)
      guard let job = jobs.first else { throw JobError(.notFound, "Job not found") }
      return try StatusTable(db).changes(of: job.number)
    }
  }

  /// Rows as jobs: with what can be said of their processes now.
  func resolved(_ rows: [JobRow]) -> [CatalogedJob] {
    var known: [Int64: WorkerInfo] = [:]
    return rows.map { row in
      var record = row.record
      if let worker = row.worker {
        let information =
          known[worker.number]
          ?? WorkerInfo(
            id: worker.number, pid: worker.pid, uid: worker.uid, isAlive: workers.isAlive(worker))
        known[worker.number] = information
        record.worker = information
      }
      return CatalogedJob(number: row.number, record: record, dismissed: row.dismissed)
    }
  }
}
