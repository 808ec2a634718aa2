import Foundation
import GRDB
import Jobs
import Qcow2
import SnapshotJobs

/// The notes of device states in one transaction of the database.
struct DeviceStateTable {
  let db: Database

  init(_ db: Database) { self.db = db }

  /// Enters what goes with an image once a commit is published.
  func insert(_ note: DeviceStateNote, of commit: CommitID, at time: Timestamp) throws {
    try db.execute(
      sql: """
        INSERT OR REPLACE INTO device_state
          (commit_id, state, snapshot, file, length, modified, changed, created)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        commit.bytes.asData, note.state.description, note.snapshot, note.file,
        note.stamp?.length, note.stamp?.modified, note.stamp?.changed, time.microseconds,
      ])
  }

  /// What goes with the images that carry these ids.
  func notes(of commits: [CommitID]) throws -> [CommitID: DeviceStateNote] {
    var notes: [CommitID: DeviceStateNote] = [:]
    for commit in commits {
      let row = try Row.fetchOne(
        db, sql: "SELECT * FROM device_state WHERE commit_id = ?", arguments: [commit.bytes.asData])
      if let row { notes[commit] = try note(row) }
    }
    return notes
  }

  private func note(_ row: Row) throws -> DeviceStateNote {
    var stamp: FileStamp?
    if let length = try row.optional("length", as: Int64.self) {
      stamp = FileStamp(
        length: length, modified: try row.value("modified"), changed: try row.value("changed"))
    }
    let file = try row.optional("file", as: String.self)
    // It is a name in the catalog's own directory, and leads nowhere else.
    guard file.map({ $0.hasSuffix(".state") && !$0.contains("/") }) ?? true else {
      throw MalformedRow(place: "device_state.file", problem: "not a name of a state's file")
    }
    return DeviceStateNote(
      state: DeviceStateID(try row.value("state", as: String.self)),
      snapshot: try row.optional("snapshot", as: String.self), file: file, stamp: stamp)
  }

  /// Forgets states, whatever goes with them.
  func forget(_ states: [DeviceStateID]) throws {
    for state in states {
      try db.execute(
        sql: "DELETE FROM device_state WHERE state = ?", arguments: [state.description])
    }
  }

  /// Notes what the image of a commit looks like.
  func stamp(_ commit: CommitID, _ stamp: FileStamp) throws {
    try db.execute(
      sql: "UPDATE device_state SET length = ?, modified = ?, changed = ? WHERE commit_id = ?",
      arguments: [stamp.length, stamp.modified, stamp.changed, commit.bytes.asData])
  }

  /// Whether a state waits in a file.
  func isNoted(file name: String) throws -> Bool {
    try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM device_state WHERE file = ?)", arguments: [name])
      == true
  }
}
