import GRDB
import Jobs

/// Verb requests in one transaction of the database.
struct VerbTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  /// Leaves a request.
  func insert(_ verb: JobVerb, of job: Int64) throws -> Int64 {
    guard try JobTable(db).row(number: job) != nil else {
      throw JobError(.notFound, "Job not found")
    }
    try db.execute(
      sql: "INSERT INTO verb_request (job, verb, created) VALUES (?, ?, ?)",
      arguments: [job, verb.rawValue, Clock.now().microseconds])
    return db.lastInsertedRowID
  }

  /// The answer to a request; nil while it has none.
  ///
  /// - Throws: `JobError` (not found) if there is no such request.
  func answer(to number: Int64) throws -> VerbAnswer? {
    let row = try Row.fetchOne(
      db, sql: "SELECT answered, error_kind, error_message FROM verb_request WHERE number = ?",
      arguments: [number])
    guard let row else { throw JobError(.notFound, "No verb request has the number \(number)") }
    guard try row.optional("answered", as: Int64.self) != nil else { return nil }
    return try row.jobError().map(VerbAnswer.refused) ?? .accepted
  }

  /// Removes a request that nobody has taken up; false if somebody has.
  func withdraw(_ number: Int64) throws -> Bool {
    try db.execute(
      sql: "DELETE FROM verb_request WHERE number = ? AND taken_up IS NULL", arguments: [number])
    return db.changesCount > 0
  }

  /// Notes that the job's worker acts on a request; false if it was withdrawn.
  func takeUp(_ number: Int64) throws -> Bool {
    try db.execute(
      sql: "UPDATE verb_request SET taken_up = coalesce(taken_up, ?) WHERE number = ?",
      arguments: [Clock.now().microseconds, number])
    return db.changesCount > 0
  }

  /// Requests without an answer for the jobs of a worker, oldest first.
  func open(for worker: Int64) throws -> [VerbRequest] {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT verb_request.number, verb_request.job, job.id, verb_request.verb
        FROM verb_request JOIN job ON job.seq = verb_request.job
        WHERE verb_request.answered IS NULL AND job.worker = ? ORDER BY verb_request.number
        """,
      arguments: [worker])
    return try rows.map { row in
      VerbRequest(
        number: try row.value("number"), job: try row.value("job"),
        id: try row.checked("id", JobID.init), verb: try row.name("verb"))
    }
  }

  /// Answers a request; the first answer stays.
  func answer(_ number: Int64, with answer: VerbAnswer) throws {
    let error: JobError? =
      switch answer {
      case .accepted: nil
      case .refused(let error): error
      }
    try db.execute(
      sql: """
        UPDATE verb_request SET answered = ?, error_kind = ?, error_message = ?
        WHERE number = ? AND answered IS NULL
        """,
      arguments: [Clock.now().microseconds, error?.kind.rawValue, error?.message, number])
  }
}
