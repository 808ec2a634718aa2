import GRDB
import Jobs

/// Jobs in one transaction of the database.
struct JobTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  /// Enters the jobs of one transaction with status `created`.
  ///
  /// - Parameters:
  ///   - jobs: at least one; their ids must be free and their subjects idle.
  ///   - worker: the process they belong to.
  ///   - busy: the error that names a job in the way of a subject.
  /// - Returns: the records as they are now, with their numbers and that of the transaction.
  /// - Throws: `JobError` if an id is taken or a subject is busy.
  func insert(
    _ jobs: [JobRecord], worker: Int64, busy: (String, JobRow) -> JobError
  ) throws -> [JobRecord] {
    try db.execute(
      sql: "INSERT INTO job_transaction (created) VALUES (?)",
      arguments: [Clock.now().microseconds])
    let transaction = db.lastInsertedRowID
    var stored: [JobRecord] = []
    for var job in jobs {
      guard try row(job.id) == nil else {
        throw JobError(.conflict, "Job ID '\(job.id)' already in use")
      }
      if let subject = job.subject {
        try occupy(subject, transaction: transaction, busy: busy)
      }
      job.number = try insert(job, transaction: transaction, worker: worker)
      job.transaction = transaction
      job.status = .created
      stored.append(job)
    }
    return stored
  }

  private func insert(_ job: JobRecord, transaction: Int64, worker: Int64) throws -> Int64 {
    try db.execute(
      sql: """
        INSERT INTO job (id, type, subject, txn, auto_finalize, auto_dismiss, note, arguments,
          status, progress_current, progress_total, created, worker)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        job.id.description, job.type, job.subject, transaction, job.autoFinalize, job.autoDismiss,
        job.note, job.arguments, JobStatus.created.rawValue, job.progress.current,
        job.progress.total, job.created.microseconds, worker,
      ])
    let number = db.lastInsertedRowID
    try StatusTable(db).append(.created, of: number, at: job.created)
    return number
  }

  private func occupy(
    _ subject: String, transaction: Int64, busy: (String, JobRow) -> JobError
  ) throws {
    let holder = try Int64.fetchOne(
      db, sql: "SELECT txn FROM busy_subject WHERE subject = ?", arguments: [subject])
    if holder == transaction { return }
    guard let holder else {
      try db.execute(
        sql: "INSERT INTO busy_subject (subject, txn) VALUES (?, ?)",
        arguments: [subject, transaction])
      return
    }
    let row = try Row.fetchOne(
      db,
      sql: """
        \(JobRow.selection) WHERE job.txn = ? AND job.subject = ? AND \(JobRow.isOpen)
        ORDER BY job.seq LIMIT 1
        """,
      arguments: [holder, subject])
    guard let job = try row.map(JobRow.init) else {
      throw MalformedRow(place: "busy_subject", problem: "'\(subject)' has no job that is open")
    }
    throw busy(subject, job)
  }

  /// The job of this id that is not dismissed.
  func row(_ id: JobID) throws -> JobRow? {
    try Row.fetchOne(
      db, sql: "\(JobRow.selection) WHERE job.id = ? AND job.dismissed IS NULL",
      arguments: [id.description]
    ).map(JobRow.init)
  }

  /// The job of this number, if it is not dismissed.
  func row(number: Int64) throws -> JobRow? {
    try Row.fetchOne(
      db, sql: "\(JobRow.selection) WHERE job.seq = ? AND job.dismissed IS NULL",
      arguments: [number]
    ).map(JobRow.init)
  }

  /// All jobs that are not dismissed, newest first.
  func rows() throws -> [JobRow] {
    try Row.fetchAll(db, sql: "\(JobRow.selection) WHERE job.dismissed IS NULL ORDER BY seq DESC")
      .map(JobRow.init)
  }

  /// Writes a status change and what of the record changes with it, to the job of the record's number.
  ///
  /// - Throws: `JobError` with QEMU's text if it is dismissed, whoever has its name now.
  func update(_ job: JobRecord, at time: Timestamp) throws {
    guard let row = try row(number: job.number) else { throw JobError(.notFound, "Job not found") }
    let number = row.number
    if job.status == .null {
      try dismiss(number, at: time)
    } else {
      try db.execute(
        sql: """
          UPDATE job SET status = ?, progress_current = ?, progress_total = ?, error_kind = ?,
            error_message = ?, result = ?, started = ?, concluded = ? WHERE seq = ?
          """,
        arguments: [
          job.status.rawValue, job.progress.current, job.progress.total, job.error?.kind.rawValue,
          job.error?.message, job.result, job.started?.microseconds, job.concluded?.microseconds,
          number,
        ])
      // A record may change while its status stays: that is no event.
      if row.record.status != job.status {
        try StatusTable(db).append(job.status, of: number, at: time)
      }
      if job.status == .concluded { try release(number) }
    }
  }

  /// Moves a job to the history. A concluded one keeps its status there.
  func dismiss(_ number: Int64, at time: Timestamp) throws {
    try db.execute(
      sql: """
        UPDATE job SET dismissed = ?,
          status = CASE status WHEN 'concluded' THEN status ELSE 'null' END WHERE seq = ?
        """,
      arguments: [time.microseconds, number])
    try StatusTable(db).append(.null, of: number, at: time)
    try release(number)
  }

  /// Ends the exclusion of others from a job's subject when it was its transaction's last one.
  private func release(_ number: Int64) throws {
    try db.execute(
      sql: """
        DELETE FROM busy_subject WHERE
          (subject, txn) IN (SELECT subject, txn FROM job WHERE seq = ?)
          AND NOT EXISTS (SELECT 1 FROM job WHERE job.subject = busy_subject.subject
            AND job.txn = busy_subject.txn AND \(JobRow.isOpen))
        """,
      arguments: [number])
  }

  /// Writes progress alone.
  func update(_ progress: JobProgress, of number: Int64) throws {
    try db.execute(
      sql: """
        UPDATE job SET progress_current = ?, progress_total = ?
        WHERE seq = ? AND dismissed IS NULL
        """,
      arguments: [progress.current, progress.total, number])
  }
}
