import GRDB
import Jobs

/// A job as the catalog has it.
struct JobRow: Sendable {
  /// Its number; ids come back after a dismissal, numbers never.
  let number: Int64
  /// Everything but the worker.
  let record: JobRecord
  /// The process it belongs to.
  let worker: WorkerRow?
  /// When it was dismissed.
  let dismissed: Timestamp?

  /// SQL for a job that is neither concluded nor forgotten.
  static let isOpen = "(job.dismissed IS NULL AND job.status NOT IN ('concluded', 'null'))"

  /// A SELECT of everything that ``init(_:)`` reads, up to its FROM clause.
  static let selection = """
    SELECT job.*, \(WorkerRow.columns) FROM job LEFT JOIN worker ON worker.number = job.worker
    """

  /// Reads a row of ``selection``.
  init(_ row: Row) throws {
    number = try row.value("seq")
    dismissed = try row.optional("dismissed").map(Timestamp.init(microseconds:))
    worker = try row.optional("worker_number", as: Int64.self) == nil ? nil : WorkerRow(row)
    var record = JobRecord(
      id: try row.checked("id", JobID.init),
      type: try row.value("type"),
      subject: try row.optional("subject"),
      autoFinalize: try row.value("auto_finalize"),
      autoDismiss: try row.value("auto_dismiss"),
      note: try row.optional("note"),
      arguments: try row.value("arguments"),
      created: Timestamp(microseconds: try row.value("created")))
    record.number = number
    record.transaction = try row.value("txn")
    record.result = try row.optional("result")
    record.status = try row.name("status")
    record.progress = JobProgress(
      current: try row.value("progress_current"), total: try row.value("progress_total"))
    record.error = try row.jobError()
    record.started = try row.optional("started").map(Timestamp.init(microseconds:))
    record.concluded = try row.optional("concluded").map(Timestamp.init(microseconds:))
    self.record = record
  }
}

extension Row {
  /// The failure in the columns `error_kind` and `error_message`; nil if there is none.
  func jobError() throws -> JobError? {
    guard let message: String = try optional("error_message") else { return nil }
    return JobError(try name("error_kind"), message)
  }
}
