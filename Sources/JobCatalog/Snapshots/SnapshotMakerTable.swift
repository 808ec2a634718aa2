import Foundation
import GRDB
import Jobs
import Qcow2
import SnapshotJobs

/// Who made which snapshot, in one transaction of the database.
struct SnapshotMakerTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  // MARK: Writing

  /// Enters the snapshots that the jobs of a commit make. What a client asks for without a job is the client's own.
  ///
  /// - Parameters:
  ///   - members: the commit's images.
  ///   - intent: its number; the snapshots go with it if it is undone.
  /// - Throws: what the database said.
  func insert(_ members: [CommitIntent.Member], of intent: Int64) throws {
    for member in members {
      guard let job = member.job else { continue }
      for key in member.madeSnapshots {
        let number = try number(of: key) ?? insert(key, id: key.id, job: job, intent: intent)
        try note(number, in: member.path, member.identity)
      }
    }
  }

  /// Enters what became of them.
  func settle(intent: Int64, isDone: Bool) throws {
    try db.execute(
      sql: isDone
        ? "UPDATE made_snapshot SET intent = NULL WHERE intent = ?"
        : "DELETE FROM made_snapshot WHERE intent = ?",
      arguments: [intent])
  }

  /// Enters who made the snapshots that a job which concludes has taken.
  func note(_ job: JobRecord) throws {
    guard let result = job.result else { return }
    let taken = TakenByJob(type: job.type, arguments: job.arguments, result: result)
    try note(taken, by: job.id, job.note)
  }

  /// Enters who made the snapshots that jobs have taken before there was this table, oldest first.
  func noteHistory() throws {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT id, type, note, arguments, result FROM job WHERE result IS NOT NULL ORDER BY seq
        """)
    for row in rows {
      let taken = TakenByJob(
        type: try row.value("type"), arguments: try row.value("arguments"),
        result: try row.value("result"))
      try note(taken, by: try row.checked("id", JobID.init), try row.optional("note"))
    }
  }

  private func note(_ taken: TakenByJob?, by job: JobID, _ remark: String?) throws {
    guard let taken else { return }
    for snapshot in taken.snapshots {
      let key = SnapshotKey(
        tag: Array(taken.tag.utf8), id: snapshot.id ?? "", seconds: snapshot.dateSeconds,
        nanoseconds: snapshot.dateNanoseconds)
      let number = try number(of: key) ?? insert(key, id: snapshot.id, job: job, intent: nil)
      try db.execute(
        sql: "UPDATE made_snapshot SET job = ?, note = ? WHERE number = ?",
        arguments: [job.description, remark, number])
      try note(number, in: snapshot.path, nil)
    }
  }

  /// Enters which snapshots an image has: those that it has lost are not seen in it any more, and are forgotten where
  /// no other image was seen to have them.
  func note(_ content: ImageContent) throws {
    // Another file that has taken the path says nothing about this one.
    let known = Set(
      try Int64.fetchAll(
        db,
        sql: """
          SELECT snapshot FROM snapshot_image
          WHERE (device = ? AND inode = ?) OR (path = ? AND device IS NULL)
          """,
        arguments: [
          Int64(bitPattern: content.identity.device), Int64(bitPattern: content.identity.inode),
          content.path,
        ]))
    let present = Set(try content.snapshots.compactMap { try number(of: $0) })
    for number in present.subtracting(known) {
      try note(number, in: content.path, content.identity)
    }
    for number in known.subtracting(present) {
      try db.execute(
        sql: """
          DELETE FROM snapshot_image WHERE snapshot = ?
            AND ((device = ? AND inode = ?) OR (path = ? AND device IS NULL))
          """,
        arguments: [
          number, Int64(bitPattern: content.identity.device),
          Int64(bitPattern: content.identity.inode), content.path,
        ])
      try db.execute(
        sql: """
          DELETE FROM made_snapshot WHERE number = ? AND intent IS NULL
            AND NOT EXISTS (SELECT 1 FROM snapshot_image WHERE snapshot = made_snapshot.number)
          """,
        arguments: [number])
    }
  }

  private func insert(
    _ key: SnapshotKey, id: String?, job: JobID, intent: Int64?
  ) throws -> Int64 {
    try db.execute(
      sql: """
        INSERT INTO made_snapshot (tag, id, seconds, nanoseconds, job, note, intent)
        VALUES (?, ?, ?, ?, ?, (SELECT note FROM job WHERE id = ? AND dismissed IS NULL), ?)
        """,
      arguments: [
        key.tag.asData, id, key.seconds, Int64(key.nanoseconds), job.description,
        job.description, intent,
      ])
    return db.lastInsertedRowID
  }

  private func note(_ number: Int64, in path: String, _ identity: FileIdentity?) throws {
    try db.execute(
      sql: """
        INSERT INTO snapshot_image (snapshot, path, device, inode) VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET device = COALESCE(excluded.device, device),
          inode = COALESCE(excluded.inode, inode)
        """,
      arguments: [
        number, path, identity.map { Int64(bitPattern: $0.device) },
        identity.map { Int64(bitPattern: $0.inode) },
      ])
  }

  // MARK: Reading

  /// Who made a snapshot; nil if this catalog does not know it.
  func maker(of key: SnapshotKey) throws -> SnapshotMaker? {
    guard let row = try row(of: key) else { return nil }
    return SnapshotMaker(
      sequence: try row.value("number"),
      job: try row.optional("job", as: String.self).flatMap { try? JobID($0) },
      note: try row.optional("note"))
  }

  private func number(of key: SnapshotKey) throws -> Int64? { try row(of: key)?.value("number") }

  private func row(of key: SnapshotKey) throws -> Row? {
    try Row.fetchOne(
      db,
      sql: """
        SELECT number, job, note FROM made_snapshot
        WHERE tag = ? AND seconds = ? AND nanoseconds = ? AND (id = ? OR id IS NULL)
        ORDER BY id IS NULL, number LIMIT 1
        """,
      arguments: [key.tag.asData, key.seconds, Int64(key.nanoseconds), key.id])
  }
}

/// The snapshots that a job has taken, by its arguments and its result.
private struct TakenByJob {
  let tag: String
  let snapshots: [TakenSnapshot]

  /// Nil for a job that took none, or of which that was not kept.
  init?(type: String, arguments: String, result: String) {
    guard SnapshotRequest.Operation(rawValue: type) != nil,
      let request = try? JSONDecoder().decode(SnapshotRequest.self, from: Data(arguments.utf8)),
      let tag = request.savedTag,
      let result = try? JSONDecoder().decode(SnapshotResult.self, from: Data(result.utf8)),
      let snapshots = result.takenSnapshots
    else { return nil }
    self.tag = tag
    self.snapshots = snapshots
  }
}
