import GRDB
import Jobs

/// Status changes in one transaction of the database.
struct StatusTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  /// Appends one.
  func append(_ status: JobStatus, of job: Int64, at time: Timestamp) throws {
    try db.execute(
      sql: "INSERT INTO job_status (job, status, time) VALUES (?, ?, ?)",
      arguments: [job, status.rawValue, time.microseconds])
  }

  /// Those of all jobs with a number above `last`, in order.
  func events(after last: Int64) throws -> [(number: Int64, event: JobEvent)] {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT job_status.number, job.id, job_status.status, job_status.time
        FROM job_status JOIN job ON job.seq = job_status.job
        WHERE job_status.number > ? ORDER BY job_status.number
        """,
      arguments: [last])
    return try rows.map { row in
      let event = JobEvent(
        id: try row.checked("id", JobID.init), status: try row.name("status"),
        time: Timestamp(microseconds: try row.value("time")))
      return (try row.value("number"), event)
    }
  }

  /// The number given last, also if that change has been deleted since.
  func lastNumber() throws -> Int64 {
    try Int64.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'job_status'") ?? 0
  }

  /// One job's, in order.
  func changes(of job: Int64) throws -> [(status: JobStatus, time: Timestamp)] {
    let rows = try Row.fetchAll(
      db, sql: "SELECT status, time FROM job_status WHERE job = ? ORDER BY number",
      arguments: [job])
    return try rows.map { row in
      (try row.name("status"), Timestamp(microseconds: try row.value("time")))
    }
  }
}
