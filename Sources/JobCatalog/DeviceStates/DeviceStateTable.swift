import FileNames
import Foundation
import GRDB
import Jobs
import Qcow2
import SnapshotJobs

/// The notes of device states in one transaction of the database.
struct DeviceStateTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  /// Enters what goes with the images of a commit once it is published; nothing if nothing goes with any of them.
  ///
  /// - Parameters:
  ///   - images: of each image the path, and its note if it has one.
  ///   - commit: the commit's id.
  ///   - time: now.
  /// - Throws: an error of the database.
  func insert(
    _ images: [(path: String, note: DeviceStateNote?)], of commit: CommitID, at time: Timestamp
  ) throws {
    guard images.contains(where: { $0.note != nil }) else { return }
    for (path, note) in images {
      let snapshot = note?.snapshot
      try db.execute(
        sql: """
          INSERT OR REPLACE INTO device_state
            (commit_id, path, state, member, member_count, is_keeper, snapshot, snapshot_seconds,
              snapshot_nanoseconds, snapshot_size, file, length, modified, created)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          commit.bytes.asData, note?.path ?? path, note?.state.description, note?.member,
          note?.memberCount, note?.isKeeper, snapshot?.id, snapshot?.dateSeconds,
          snapshot?.dateNanoseconds, snapshot.map { Int64(bitPattern: $0.vmStateSize) },
          note?.file, note?.stamp?.length, note?.stamp?.modified, time.microseconds,
        ])
    }
  }

  /// What goes with the images of commits; of a commit that nothing goes with there is nothing.
  func notes(of commits: [CommitID]) throws -> [CommitID: CommitNotes] {
    var notes: [CommitID: CommitNotes] = [:]
    for commit in Set(commits) {
      let rows = try Row.fetchAll(
        db, sql: "SELECT * FROM device_state WHERE commit_id = ? ORDER BY member, path",
        arguments: [commit.bytes.asData])
      if rows.isEmpty { continue }
      var found = CommitNotes()
      for row in rows {
        if let note = try note(row) {
          found.notes.append(note)
        } else {
          found.pathsWithoutState.append(try row.value("path"))
        }
      }
      notes[commit] = found
    }
    return notes
  }

  private func note(_ row: Row) throws -> DeviceStateNote? {
    guard let state = try row.optional("state", as: String.self) else { return nil }
    var stamp: FileStamp?
    if let length = try row.optional("length", as: Int64.self) {
      stamp = FileStamp(length: length, modified: try row.value("modified"))
    }
    var snapshot: SnapshotIdentity?
    if let id = try row.optional("snapshot", as: String.self) {
      snapshot = SnapshotIdentity(
        id: id, dateSeconds: try row.value("snapshot_seconds"),
        dateNanoseconds: try row.value("snapshot_nanoseconds"),
        vmStateSize: UInt64(bitPattern: try row.value("snapshot_size")))
    }
    let file = try row.optional("file", as: String.self)
    // It is a name in the catalog's own directory, and leads nowhere else.
    guard file.map({ $0.hasSuffix(".state") && !$0.hasSlash }) ?? true else {
      throw MalformedRow(place: "device_state.file", problem: "not a name of a state's file")
    }
    return DeviceStateNote(
      state: DeviceStateID(state), member: try row.value("member"),
      of: try row.value("member_count"), path: try row.value("path"), snapshot: snapshot,
      isKeeper: try row.value("is_keeper"), file: file, stamp: stamp)
  }

  /// Notes what the file of an image looks like; where the note says something else than expected, it stays.
  func note(_ stamp: StagedStateStamp) throws {
    try db.execute(
      sql: """
        UPDATE device_state SET length = ?, modified = ?
        WHERE commit_id = ? AND path = ? AND file IS NOT NULL AND length IS ? AND modified IS ?
        """,
      arguments: [
        stamp.new.length, stamp.new.modified, stamp.commit.bytes.asData, stamp.path,
        stamp.old?.length, stamp.old?.modified,
      ])
  }

  /// Drops the notes that no image can have any more, as a commit comes to its end.
  ///
  /// One that did not happen never will: its own go. One that happened has taken the place of what waited for these
  /// very files; of a copy's commit, which is about another file, nothing goes.
  ///
  /// - Parameters:
  ///   - commit: the commit's id.
  ///   - isDone: whether it happened.
  ///   - paths: the files of its images.
  /// - Throws: an error of the database.
  func settle(_ commit: CommitID, isDone: Bool, paths: [String]) throws {
    guard isDone else {
      return try db.execute(
        sql: "DELETE FROM device_state WHERE commit_id = ?", arguments: [commit.bytes.asData])
    }
    for path in paths {
      let states = try String.fetchAll(
        db,
        sql: """
          SELECT DISTINCT state FROM device_state
          WHERE path = ? AND file IS NOT NULL AND commit_id <> ?
          """, arguments: [path, commit.bytes.asData])
      for state in states { try outdate(state, by: commit, at: path) }
    }
  }

  /// A state that waits has been saved or lost with a file, or goes on with it under another commit.
  private func outdate(_ state: String, by commit: CommitID, at path: String) throws {
    let goesOn =
      try Bool.fetchOne(
        db,
        sql: """
          SELECT EXISTS (SELECT 1 FROM device_state
            WHERE commit_id = ? AND state = ? AND file IS NOT NULL)
          """, arguments: [commit.bytes.asData, state]) == true
    if goesOn {
      try db.execute(
        sql: """
          DELETE FROM device_state
          WHERE state = ? AND file IS NOT NULL AND path = ? AND commit_id <> ?
          """, arguments: [state, path, commit.bytes.asData])
    } else {
      try db.execute(
        sql: "DELETE FROM device_state WHERE state = ? AND file IS NOT NULL", arguments: [state])
    }
  }

  /// Whether a state waits in a file.
  func isNoted(file name: String) throws -> Bool {
    try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM device_state WHERE file = ?)", arguments: [name])
      == true
  }
}
