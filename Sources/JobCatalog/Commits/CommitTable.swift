import Foundation
import GRDB
import Jobs
import Qcow2
import SnapshotJobs

/// Commits in one transaction of the database.
struct CommitTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  /// SQL for a commit that is not settled.
  static let isOpen = "commit_intent.settled IS NULL"

  /// SQL for a commit that may still have to be looked at.
  static let isUnconfirmed = """
    EXISTS (SELECT 1 FROM commit_member
      WHERE commit_member.intent = commit_intent.number AND commit_member.confirm = 1)
    """

  /// The catalog's own id.
  func catalogID() throws -> CatalogID {
    let row = try Row.fetchOne(db, sql: "SELECT catalog_id FROM meta")
    guard let row, let id = CatalogID(bytes: [UInt8](try row.value("catalog_id", as: Data.self)))
    else { throw MalformedRow(place: "meta.catalog_id", problem: "no id of 16 bytes") }
    return id
  }

  // MARK: Writing

  /// Enters an intent.
  func insert(_ intent: CommitIntent, by claim: WorkerRegistry.Claim) throws {
    try db.execute(
      sql: """
        INSERT INTO commit_intent (id, worker, pid, lock_byte, created) VALUES (?, ?, ?, ?, ?)
        """,
      arguments: [
        intent.id.bytes.asData, claim.worker, claim.pid, claim.byte, intent.created.microseconds,
      ])
    let number = db.lastInsertedRowID
    for (position, job) in intent.jobs.enumerated() {
      try db.execute(
        sql: """
          INSERT INTO commit_job (intent, position, id, job)
          VALUES (?, ?, ?, (SELECT seq FROM job WHERE id = ? AND dismissed IS NULL))
          """,
        arguments: [number, position, job.description, job.description])
    }
    for (position, member) in intent.members.enumerated() {
      let sectors = member.sectors
      try db.execute(
        sql: """
          INSERT INTO commit_member
            (intent, position, node, path, before, fenced, after, after_fenced, checksum, confirm)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
          """,
        arguments: [
          number, position, member.node, member.path, sectors.before.bytes.asData,
          sectors.fenced.bytes.asData, sectors.after.bytes.asData,
          sectors.afterFenced?.bytes.asData, sectors.checksum.asData,
        ])
    }
    try SnapshotMakerTable(db).insert(intent.members, of: number)
    try DeviceStateTable(db).insert(
      intent.members.map { ($0.path, $0.deviceState) }, of: intent.id, at: intent.created)
  }

  /// Enters a decision unless one is there; returns the one that stands there then.
  func decide(
    _ decision: CommitDecision, _ id: CommitID, at time: Timestamp
  ) throws -> CommitDecision {
    let number = try self.number(of: id)
    try db.execute(
      sql: """
        INSERT INTO commit_decision (intent, decision, time) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
        """,
      arguments: [number, decision.rawValue, time.microseconds])
    let stands = try String.fetchOne(
      db, sql: "SELECT decision FROM commit_decision WHERE intent = ?", arguments: [number])
    guard let stands = stands.flatMap(CommitDecision.init(rawValue:)) else {
      throw MalformedRow(place: "commit_decision.decision", problem: "no decision")
    }
    return stands
  }

  /// Enters that nothing is left to do; the first time and note stay.
  func settle(_ id: CommitID, _ settlement: CommitSettlement, at time: Timestamp) throws {
    let number = try self.number(of: id)
    _ = try decide(settlement.decision, id, at: time)
    try confirm(settlement.confirmed, of: id)
    try db.execute(
      sql: "UPDATE commit_intent SET settled = ?, note = ? WHERE number = ? AND settled IS NULL",
      arguments: [time.microseconds, settlement.note, number])
    guard db.changesCount > 0 else { return }
    let makers = SnapshotMakerTable(db)
    try makers.settle(intent: number, isDone: settlement.decision != .undone)
    for content in settlement.contents { try makers.note(content) }
    let paths = try String.fetchAll(
      db, sql: "SELECT path FROM commit_member WHERE intent = ?", arguments: [number])
    try DeviceStateTable(db).settle(id, isDone: settlement.decision != .undone, paths: paths)
  }

  /// Notes members that are not to be judged again.
  func confirm(_ members: Set<Int>, of id: CommitID) throws {
    let number = try self.number(of: id)
    for member in members.sorted() {
      try db.execute(
        sql: "UPDATE commit_member SET confirm = 0 WHERE intent = ? AND position = ?",
        arguments: [number, member])
    }
  }

  private func number(of id: CommitID) throws -> Int64 {
    let number = try Int64.fetchOne(
      db, sql: "SELECT number FROM commit_intent WHERE id = ?", arguments: [id.bytes.asData])
    guard let number else { throw JobError(.notFound, "The catalog has no commit \(id)") }
    return number
  }

  // MARK: Reading

  /// Commits that fit a condition, oldest first.
  func rows(where condition: String) throws -> [CommitRow] {
    try Row.fetchAll(
      db, sql: "\(Self.selection) WHERE \(condition) ORDER BY commit_intent.number"
    ).map(commit)
  }

  /// One commit; nil if there is none of that id.
  func row(_ id: CommitID) throws -> CommitRow? {
    try Row.fetchOne(
      db, sql: "\(Self.selection) WHERE commit_intent.id = ?", arguments: [id.bytes.asData]
    ).map(commit)
  }

  private static let selection = """
    SELECT commit_intent.*, commit_decision.decision FROM commit_intent
    LEFT JOIN commit_decision ON commit_decision.intent = commit_intent.number
    """

  /// The process that made a commit, as far as its lock goes; nil if its row is gone.
  func claimant(of id: CommitID) throws -> (worker: WorkerRow, byte: Int64)? {
    let row = try Row.fetchOne(
      db,
      sql: """
        SELECT \(WorkerRow.columns), commit_intent.lock_byte FROM commit_intent
        JOIN worker ON worker.number = commit_intent.worker WHERE commit_intent.id = ?
        """,
      arguments: [id.bytes.asData])
    return try row.map { (try WorkerRow($0), try $0.value("lock_byte")) }
  }

  /// What became of the newest commit that names the job of this id that is not dismissed.
  func outcome(ofJob job: JobID) throws -> CommitJobOutcome {
    let row = try Row.fetchOne(
      db,
      sql: """
        SELECT commit_intent.settled, commit_intent.note, commit_decision.decision
        FROM commit_intent
        JOIN commit_job ON commit_job.intent = commit_intent.number
        JOIN job ON job.seq = commit_job.job
        LEFT JOIN commit_decision ON commit_decision.intent = commit_intent.number
        WHERE job.id = ? AND job.dismissed IS NULL
        ORDER BY commit_intent.number DESC LIMIT 1
        """,
      arguments: [job.description])
    guard let row else { return .none }
    guard try row.optional("settled", as: Int64.self) != nil else { return .open }
    if let note = try row.optional("note", as: String.self) { return .failed(note: note) }
    let decision: String? = try row.optional("decision")
    return decision == CommitDecision.record.rawValue ? .done : .none
  }

  private func commit(_ row: Row) throws -> CommitRow {
    let number: Int64 = try row.value("number")
    guard let id = CommitID(bytes: [UInt8](try row.value("id", as: Data.self))) else {
      throw MalformedRow(place: "commit_intent.id", problem: "no id of 16 bytes")
    }
    let jobs = try Row.fetchAll(
      db, sql: "SELECT id, job FROM commit_job WHERE intent = ? ORDER BY position",
      arguments: [number])
    let members = try Row.fetchAll(
      db, sql: "SELECT * FROM commit_member WHERE intent = ? ORDER BY position",
      arguments: [number])
    guard !members.isEmpty else {
      throw MalformedRow(place: "commit_member", problem: "commit \(id) has no image")
    }
    var jobNumbers: [JobID: Int64] = [:]
    for job in jobs {
      jobNumbers[try job.checked("id", JobID.init)] = try job.optional("job", as: Int64.self)
    }
    let decision: String? = try row.optional("decision")
    return CommitRow(
      intent: CommitIntent(
        id: id, jobs: try jobs.map { try $0.checked("id", JobID.init) },
        created: Timestamp(microseconds: try row.value("created")),
        members: try members.map(member)),
      decision: decision.flatMap(CommitDecision.init(rawValue:)),
      isSettled: try row.optional("settled", as: Int64.self) != nil,
      isConfirmed: try members.map { try $0.value("confirm", as: Int64.self) == 0 },
      workerPID: try row.value("pid"), jobNumbers: jobNumbers)
  }

  /// The sectors may be written to an image, so neither their size nor their content is left to the schema.
  private func member(_ row: Row) throws -> CommitIntent.Member {
    let sectors = CommitSectors(
      before: try sector("before", row), fenced: try sector("fenced", row),
      after: try sector("after", row),
      afterFenced: try row.optional("after_fenced", as: Data.self) == nil
        ? nil : try sector("after_fenced", row))
    guard sectors.checksum == [UInt8](try row.value("checksum", as: Data.self)) else {
      throw MalformedRow(place: "commit_member", problem: "a checksum does not fit its sectors")
    }
    return CommitIntent.Member(
      node: try row.value("node"), path: try row.value("path"), sectors: sectors)
  }

  private func sector(_ column: String, _ row: Row) throws -> FirstSector {
    let bytes = [UInt8](try row.value(column, as: Data.self))
    guard bytes.count == FirstSector.byteCount else {
      throw MalformedRow(place: "commit_member.\(column)", problem: "\(bytes.count) bytes")
    }
    return FirstSector(onDisk: bytes)
  }

  /// A job whose commit is not settled and names this machine or one of its nodes' files.
  func openJob(machine: Int64, name: String) throws -> String? {
    try String.fetchOne(
      db,
      sql: """
        SELECT COALESCE((SELECT commit_job.id FROM commit_job
            WHERE commit_job.intent = commit_intent.number ORDER BY position LIMIT 1), '?')
        FROM commit_intent WHERE \(Self.isOpen) AND (
          EXISTS (SELECT 1 FROM commit_member JOIN node ON node.path = commit_member.path
            WHERE commit_member.intent = commit_intent.number AND node.machine = ?)
          OR EXISTS (SELECT 1 FROM commit_job JOIN job ON job.seq = commit_job.job
            WHERE commit_job.intent = commit_intent.number AND job.subject = ?))
        ORDER BY commit_intent.number LIMIT 1
        """,
      arguments: [machine, name])
  }

  // MARK: Images of earlier versions

  /// The paths of images that may have the marker bit.
  func imagesToClean() throws -> [String] {
    try String.fetchAll(db, sql: "SELECT path FROM image_to_clean ORDER BY path")
  }

  /// Takes a path off the list.
  func noteClean(_ path: String) throws {
    try db.execute(sql: "DELETE FROM image_to_clean WHERE path = ?", arguments: [path])
  }
}
