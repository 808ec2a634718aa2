import GRDB
import Jobs
import Qcow2

/// One step of the schema. A step that was released never changes; the next one is added below it.
struct CatalogMigration: Sendable {
  /// Its name, kept in the catalog and part of the name of the copy made before it.
  let name: String
  /// Refuses a catalog that is not ready for it. It only reads, and of the steps before its own it finds the first one
  /// applied, the others perhaps not yet.
  var admit: @Sendable (Database) throws -> Void = { _ in }
  /// What it does, in a transaction of its own.
  let apply: @Sendable (Database) throws -> Void
}

/// The steps that lead to this version's schema, oldest first; their number is the schema version.
struct CatalogMigrations: Sendable {
  /// `application_id` of a catalog: "SNJB".
  static let applicationID: Int64 = 0x534E_4A42

  /// The steps.
  let steps: [CatalogMigration]

  /// What this snapjob knows.
  static let current = CatalogMigrations(steps: [
    CatalogMigration(name: "1-foundation") { db in
      try db.execute(sql: foundationSchema)
      try db.execute(
        sql: "INSERT INTO meta (only_row, catalog_id, created) VALUES (1, ?, ?)",
        arguments: [CatalogID().bytes.asData, Clock.now().microseconds])
      try db.execute(sql: "INSERT INTO machine (name) VALUES ('default')")
    },
    CatalogMigration(name: "2-monitor") { db in
      try db.execute(sql: "ALTER TABLE machine ADD COLUMN monitor TEXT")
    },
    CatalogMigration(name: "3-device-state") { db in
      try db.execute(sql: deviceStateSchema)
    },
    CatalogMigration(name: "4-fence-first", admit: requireFinishedRecords) { db in
      try db.execute(sql: fenceFirstSchema)
    },
    CatalogMigration(name: "5-device-state-by-tree") { db in
      try db.execute(sql: deviceStateByTreeSchema)
    },
    CatalogMigration(name: "6-withdrawn-requests") { db in
      try db.execute(sql: "ALTER TABLE verb_request ADD COLUMN taken_up INTEGER")
      // What an earlier version has asked and still waits for cannot be withdrawn: that version does not know how.
      try db.execute(sql: "UPDATE verb_request SET taken_up = created")
    },
    CatalogMigration(name: "7-snapshot-makers") { db in
      try db.execute(sql: snapshotMakerSchema)
      try SnapshotMakerTable(db).noteHistory()
    },
  ])

  /// Only the version that wrote it can finish a commit whose images are marked.
  private static func requireFinishedRecords(_ db: Database) throws {
    let isOpen = try Bool.fetchOne(
      db,
      sql: """
        SELECT EXISTS (SELECT 1 FROM commit_record WHERE closed IS NULL
          AND id NOT IN (SELECT id FROM commit_refusal))
        """)
    if isOpen == true {
      throw JobError(
        .catalog,
        "The catalog has a commit of the snapjob version before that is not finished. Recover with that version, "
          + "then use this one")
    }
  }

  /// The schema version that these steps lead to.
  var version: Int64 { Int64(steps.count) }

  /// The steps for GRDB; each also writes the application id and its version into the header.
  func migrator() -> DatabaseMigrator {
    var migrator = DatabaseMigrator()
    for (index, step) in steps.enumerated() {
      migrator.registerMigration(step.name) { db in
        try step.apply(db)
        try db.execute(sql: "PRAGMA application_id = \(Self.applicationID)")
        try db.execute(sql: "PRAGMA user_version = \(index + 1)")
      }
    }
    return migrator
  }
}
