import Foundation
import GRDB
import Jobs
import Qcow2
import SnapshotJobs

/// Commit records in one transaction of the database.
struct CommitTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  /// SQL for a record that recovery has to look at.
  static let isOpen = """
    (commit_record.closed IS NULL
      AND commit_record.id NOT IN (SELECT commit_refusal.id FROM commit_refusal))
    """

  /// The catalog's own id.
  func catalogID() throws -> CatalogID {
    let row = try Row.fetchOne(db, sql: "SELECT catalog_id FROM meta")
    guard let row, let id = CatalogID(bytes: [UInt8](try row.value("catalog_id", as: Data.self)))
    else { throw MalformedRow(place: "meta.catalog_id", problem: "no id of 16 bytes") }
    return id
  }

  /// Enters a record.
  func insert(_ record: CommitRecord) throws {
    guard try !isRefused(record.id) else {
      throw JobError(.conflict, "Commit \(record.id) has been given up and cannot be recorded")
    }
    try db.execute(
      sql: "INSERT INTO commit_record (id, nature, created) VALUES (?, ?, ?)",
      arguments: [
        record.id.bytes.asData, try CommitNatureCoding.encode(record.nature),
        record.created.microseconds,
      ])
    let number = db.lastInsertedRowID
    for (position, job) in record.jobs.enumerated() {
      try db.execute(
        sql: """
          INSERT INTO commit_job (record, position, id, job)
          VALUES (?, ?, ?, (SELECT seq FROM job WHERE id = ? AND dismissed IS NULL))
          """,
        arguments: [number, position, job.description, job.description])
    }
    for (position, image) in record.images.enumerated() {
      try insert(image, record: number, position: position)
    }
  }

  private func insert(_ image: ImageCommit, record: Int64, position: Int) throws {
    try db.execute(
      sql: """
        INSERT INTO commit_image (record, position, node, path, device, inode, boot_id, version,
          before, after, length, modified, changed)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        record, position, image.node, image.path, Int64(bitPattern: image.identity.device),
        Int64(bitPattern: image.identity.inode), image.bootID, image.version,
        image.before.asData, image.after.asData, image.stamp.length, image.stamp.modified,
        image.stamp.changed,
      ])
    if let note = image.deviceState, let id = image.id {
      try DeviceStateTable(db).insert([(image.path, note)], of: id, at: Clock.now())
    }
  }

  /// Whether a record is there and has not been given up.
  func contains(_ id: CommitID) throws -> Bool {
    try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM commit_record WHERE id = ?)",
      arguments: [id.bytes.asData]) == true && !isRefused(id)
  }

  private func isRefused(_ id: CommitID) throws -> Bool {
    try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM commit_refusal WHERE id = ?)",
      arguments: [id.bytes.asData]) == true
  }

  /// Marks a record as done; the first time and note stay.
  func close(_ id: CommitID, note: String?, at time: Timestamp) throws {
    try db.execute(
      sql: "UPDATE commit_record SET closed = ?, note = ? WHERE id = ? AND closed IS NULL",
      arguments: [time.microseconds, note, id.bytes.asData])
    if db.changesCount > 0 { return try settleDeviceStates(of: id, isDone: note == nil) }
    guard try contains(id) else {
      throw JobError(.notFound, "The catalog has no commit \(id)")
    }
  }

  private func settleDeviceStates(of id: CommitID, isDone: Bool) throws {
    let images = try images(of: id)
    for image in images {
      guard let commit = image.id else { continue }
      try DeviceStateTable(db).settle(commit, isDone: isDone, paths: [image.path])
    }
  }

  private func images(of id: CommitID) throws -> [ImageCommit] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT commit_image.* FROM commit_image
        JOIN commit_record ON commit_record.number = commit_image.record
        WHERE commit_record.id = ?
        """, arguments: [id.bytes.asData]
    ).map(image)
  }

  /// Notes that a record does not count, should it turn up.
  func refuse(_ id: CommitID, at time: Timestamp) throws {
    try db.execute(
      sql: "INSERT INTO commit_refusal (id, time) VALUES (?, ?) ON CONFLICT DO NOTHING",
      arguments: [id.bytes.asData, time.microseconds])
  }

  /// The records that are not done, oldest first.
  func openRecords() throws -> [CommitRecord] {
    let rows = try Row.fetchAll(
      db, sql: "SELECT * FROM commit_record WHERE \(Self.isOpen) ORDER BY number")
    return try rows.map(record)
  }

  /// What became of the newest record that names the job of this id that is not dismissed.
  func outcome(ofJob job: JobID) throws -> RecordOutcome {
    let row = try Row.fetchOne(
      db,
      sql: """
        SELECT commit_record.closed, commit_record.note FROM commit_record
        JOIN commit_job ON commit_job.record = commit_record.number
        JOIN job ON job.seq = commit_job.job
        WHERE job.id = ? AND job.dismissed IS NULL
          AND commit_record.id NOT IN (SELECT commit_refusal.id FROM commit_refusal)
        ORDER BY commit_record.number DESC LIMIT 1
        """,
      arguments: [job.description])
    guard let row else { return .none }
    guard try row.value("closed", as: Int64?.self) != nil else { return .open }
    return try row.value("note", as: String?.self).map { .closed(note: $0) } ?? .done
  }

  private func record(_ row: Row) throws -> CommitRecord {
    let number: Int64 = try row.value("number")
    guard let id = CommitID(bytes: [UInt8](try row.value("id", as: Data.self))) else {
      throw MalformedRow(place: "commit_record.id", problem: "no id of 16 bytes")
    }
    let jobs = try Row.fetchAll(
      db, sql: "SELECT id FROM commit_job WHERE record = ? ORDER BY position",
      arguments: [number])
    let images = try Row.fetchAll(
      db, sql: "SELECT * FROM commit_image WHERE record = ? ORDER BY position",
      arguments: [number])
    return CommitRecord(
      id: id, jobs: try jobs.map { try $0.checked("id", JobID.init) },
      nature: try CommitNatureCoding.decode(row.value("nature")),
      created: Timestamp(microseconds: try row.value("created")),
      images: try images.map(image))
  }

  private func image(_ row: Row) throws -> ImageCommit {
    ImageCommit(
      node: try row.value("node"),
      path: try row.value("path"),
      identity: FileIdentity(
        device: UInt64(bitPattern: try row.value("device")),
        inode: UInt64(bitPattern: try row.value("inode"))),
      bootID: try row.value("boot_id"),
      version: try row.value("version"),
      stamp: FileStamp(
        length: try row.value("length"), modified: try row.value("modified"),
        changed: try row.value("changed")),
      before: try sector("before", row),
      after: try sector("after", row))
  }

  /// A first sector. It may be written to an image, so its size is not left to the schema.
  private func sector(_ column: String, _ row: Row) throws -> [UInt8] {
    let bytes = [UInt8](try row.value(column, as: Data.self))
    guard bytes.count == Self.sectorByteCount else {
      throw MalformedRow(place: "commit_image.\(column)", problem: "\(bytes.count) bytes")
    }
    return bytes
  }

  /// Bytes of an image's first sector.
  static let sectorByteCount = 512

  /// A job whose commit is not done and names this machine or one of its nodes' files.
  func openJob(machine: Int64, name: String) throws -> String? {
    try String.fetchOne(
      db,
      sql: """
        SELECT COALESCE((SELECT commit_job.id FROM commit_job
            WHERE commit_job.record = commit_record.number ORDER BY position LIMIT 1), '?')
        FROM commit_record WHERE \(Self.isOpen) AND (
          EXISTS (SELECT 1 FROM commit_image JOIN node ON node.path = commit_image.path
            WHERE commit_image.record = commit_record.number AND node.machine = ?)
          OR EXISTS (SELECT 1 FROM commit_job JOIN job ON job.seq = commit_job.job
            WHERE commit_job.record = commit_record.number AND job.subject = ?))
        ORDER BY commit_record.number LIMIT 1
        """,
      arguments: [machine, name])
  }
}
