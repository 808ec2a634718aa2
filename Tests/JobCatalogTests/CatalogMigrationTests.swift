import Foundation
import GRDB
import Jobs
import Qcow2
import SnapshotJobs
import Testing

@testable import JobCatalog

@Suite struct CatalogMigrationTests {
  let home: TemporaryCatalog

  init() throws { home = try TemporaryCatalog() }

  private let addition = CatalogMigration(name: "2-colour") { db in
    try db.execute(sql: "ALTER TABLE machine ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'")
  }

  private func with(_ more: CatalogMigration...) -> CatalogMigrations {
    CatalogMigrations(steps: CatalogMigrations.current.steps + more)
  }

  @Test func aNewCatalogNeedsNoCopy() throws {
    _ = try home.open(migrations: with(addition))
    #expect(try home.copies().isEmpty)
  }

  @Test func everyStepIsPrecededByACopyOfTheCatalogAsItWasThen() throws {
    do {
      let old = try home.open()
      _ = try old.insert([newJob("job1")])
    }
    let third = CatalogMigration(name: "3-index") { db in
      try db.execute(sql: "CREATE INDEX machine_by_colour ON machine (colour)")
    }
    let new = try home.open(migrations: with(addition, third))
    #expect(try new.jobs().map(\.id.description) == ["job1"])
    #expect(
      try home.copies() == [
        "catalog.sqlite.before-2-colour.sqlite", "catalog.sqlite.before-3-index.sqlite",
      ])
    let first = home.path + ".before-2-colour.sqlite"
    let attributes = try FileManager.default.attributesOfItem(atPath: first)
    #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    let copy = try Catalog(path: first)
    #expect(try copy.jobs().map(\.id.description) == ["job1"])
    #expect(copy.catalogID == new.catalogID)
    #expect(failure { _ = try Catalog(path: home.path + ".before-3-index.sqlite") } != nil)
  }

  @Test func theCopyIsDurableUnderItsNameBeforeTheStepRuns() throws {
    do { _ = try home.open() }
    let log = StatementLog()
    _ = try home.open(
      migrations: with(addition), onStatement: { log.append($0) },
      onSynchronize: { log.append("durable: \($0)") })
    let copy = home.path + ".before-2-colour.sqlite"
    let interesting = log.all.filter {
      $0.hasPrefix("durable: ") || $0.contains("ADD COLUMN colour")
    }
    #expect(interesting.count == 3)
    #expect(
      Array(interesting.prefix(2))
        == ["durable: \(copy).unfinished", "durable: \(home.directory)/state"])
    #expect(interesting.last?.contains("ADD COLUMN colour") == true)
  }

  @Test func aStepThatFailsLeavesTheCatalogAsItWas() throws {
    do {
      let old = try home.open()
      _ = try old.insert([newJob("job1")])
    }
    let broken = CatalogMigration(name: "3-broken") { db in
      try db.execute(
        sql: "DELETE FROM job_status; DELETE FROM job; ALTER TABLE nowhere RENAME TO x")
    }
    let error = failure { _ = try home.open(migrations: with(broken)) }
    #expect(error?.kind == .catalog)
    #expect(error?.message.contains(home.path) == true)
    #expect(try home.open().jobs().map(\.id.description) == ["job1"])
    // The copy of the failed attempt is not in the way of the next.
    _ = try home.open(migrations: with(addition))
    #expect(try home.copies().count == 2)
  }

  @Test func twoProcessesBringACatalogUpToDateOnce() async throws {
    do { _ = try home.open() }
    let migrations = with(addition)
    let home = home
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask { _ = try home.open(migrations: migrations).machines() }
      }
      try await group.waitForAll()
    }
    #expect(try home.copies() == ["catalog.sqlite.before-2-colour.sqlite"])
  }

  @Test func theNamesOfReleasedStepsNeverChange() {
    #expect(
      CatalogMigrations.current.steps.map(\.name) == [
        "1-foundation", "2-monitor", "3-device-state", "4-fence-first", "5-device-state-by-tree",
        "6-withdrawn-requests", "7-snapshot-makers",
      ])
    #expect(Catalog.schemaVersion == 7)
  }

  /// A catalog made by hand with the statements of version 1, as that version wrote it, with a commit record.
  ///
  /// - Parameters:
  ///   - closed: when the record was closed, as SQL.
  ///   - more: further statements.
  /// - Throws: what the database said.
  private func makeVersionOne(recordClosed closed: String, _ more: String = "") throws {
    try FileManager.default.createDirectory(
      atPath: home.directory + "/state", withIntermediateDirectories: false)
    let hand = try DatabaseQueue(path: home.path)
    try hand.writeWithoutTransaction { db in
      try db.execute(sql: versionOneSchema)
      try db.execute(
        sql: """
          INSERT INTO meta VALUES (1, x'000102030405060708090A0B0C0D0E0F', 5, NULL);
          INSERT INTO machine VALUES (1, 'default', 'disk0');
          INSERT INTO node VALUES (1, 1, 'disk0', '/disk0.qcow2', 0, 1);
          INSERT INTO worker VALUES (3, 4711, 1000, NULL, 'boot', 6);
          INSERT INTO job_transaction VALUES (9, 7);
          INSERT INTO job VALUES (2, 'job1', 'snapshot-save', 'default', 9, 1, 0, NULL, '{}', NULL,
            'pending', 1, 2, NULL, NULL, 7, 8, NULL, NULL, 3);
          INSERT INTO busy_subject VALUES ('default', 9);
          INSERT INTO job_status VALUES (12, 2, 'pending', 8);
          INSERT INTO commit_record VALUES (1, x'0F0E0D0C0B0A09080706050403020100',
            '{"plainSave":{"tag":"t"}}', 9, \(closed), NULL);
          INSERT INTO commit_job VALUES (1, 0, 'job1', 2);
          INSERT INTO commit_image VALUES (1, 0, 'disk0', '/moved.qcow2', -1, 5, 'boot', 3,
            zeroblob(512), zeroblob(512), 196616, 1, 2);
          CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
          INSERT INTO grdb_migrations VALUES ('1-foundation');
          PRAGMA application_id = 0x534E4A42;
          PRAGMA user_version = 1;
          \(more)
          """)
    }
    try hand.close()
  }

  @Test func aCatalogOfVersionOneIsReadByThisVersion() throws {
    try makeVersionOne(recordClosed: "10")
    let catalog = try home.open()
    #expect(catalog.catalogID.description == "000102030405060708090a0b0c0d0e0f")
    let machine = try catalog.machine(named: "default")
    #expect(machine.vmstate?.description == "disk0")
    #expect(machine.nodes.map(\.isExcluded) == [true])
    let job = try #require(try catalog.job(JobID("job1")))
    #expect(job.status == .pending)
    #expect(job.transaction == 9)
    #expect(job.worker.map { [$0.isAlive] } == [false])
    #expect(try catalog.events(after: 11).map(\.number) == [12])
    #expect(try catalog.unsettledCommits().isEmpty)
    #expect(try catalog.unconfirmedCommits().isEmpty)
    #expect(failure { _ = try catalog.insert([newJob("late")]) }?.kind == .inUse)
    #expect(try catalog.check().isEmpty)
  }

  @Test func everyNodeAndEveryImageOfAnOldRecordIsToBeCleaned() throws {
    try makeVersionOne(recordClosed: "10")
    #expect(try home.open().imagesToClean() == ["/disk0.qcow2", "/moved.qcow2"])
    #expect(try home.open().imagesToClean() == ["/disk0.qcow2", "/moved.qcow2"])
    #expect(try TemporaryCatalog().open().imagesToClean().isEmpty)
  }

  private func tableNames() throws -> [String] {
    let hand = try DatabaseQueue(path: home.path)
    defer { try? hand.close() }
    return try hand.read { db in
      try String.fetchAll(
        db,
        sql: """
          SELECT name FROM sqlite_schema WHERE name NOT LIKE 'grdb%' ORDER BY name
          """)
    }
  }

  @Test func aCatalogWithAnOpenRecordIsRefusedAndStaysAsItWas() throws {
    try makeVersionOne(recordClosed: "NULL")
    let before = try tableNames()
    for _ in 0..<2 {
      let error = failure { _ = try home.open() }
      #expect(error?.kind == .catalog)
      #expect(error?.message.contains("Recover with that version") == true)
    }
    #expect(try home.copies().isEmpty)
    let hand = try DatabaseQueue(path: home.path)
    let (version, path) = try hand.read { db in
      (
        try Int.fetchOne(db, sql: "PRAGMA user_version"),
        try String.fetchOne(db, sql: "SELECT path FROM commit_image")
      )
    }
    #expect(version == 1)
    #expect(path == "/moved.qcow2")
    try hand.writeWithoutTransaction { db in
      _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
    }
    try hand.close()
    // Whoever wrote it finds its own tables.
    #expect(try tableNames() == before)
    // Once the version before has finished, this one goes on.
    let finished = try DatabaseQueue(path: home.path)
    try finished.write { db in try db.execute(sql: "UPDATE commit_record SET closed = 11") }
    try finished.close()
    #expect(try home.open().imagesToClean().count == 2)
  }

  @Test func aRefusedRecordIsNoOpenOne() throws {
    try makeVersionOne(
      recordClosed: "NULL",
      "INSERT INTO commit_refusal VALUES (x'0F0E0D0C0B0A09080706050403020100', 12);")
    #expect(try home.open().imagesToClean().count == 2)
  }

  @Test func anOpenRecordIsFoundWhicheverVersionLeftIt() throws {
    for version in 1...3 {
      let home = try TemporaryCatalog()
      let steps = CatalogMigrations(steps: Array(CatalogMigrations.current.steps.prefix(version)))
      let path = home.path
      do {
        let old = try CatalogDatabase(
          path: path, settings: CatalogDatabase.Settings(migrations: steps))
        try old.write { db in
          try db.execute(
            sql: """
              INSERT INTO commit_record VALUES (1, x'0F0E0D0C0B0A09080706050403020100', '', 9, NULL, NULL)
              """)
        }
        old.close()
      }
      #expect(
        failure { _ = try home.open() }?.message.contains("Recover with that version") == true)
      let again = try CatalogDatabase(
        path: path, settings: CatalogDatabase.Settings(migrations: steps))
      #expect(try again.read { db in try SchemaState(db).version } == Int64(version))
      again.close()
    }
  }

  @Test func stepFiveForgetsWhatLengthAndTimesSaidOfDeviceStates() throws {
    let steps = CatalogMigrations(steps: Array(CatalogMigrations.current.steps.prefix(4)))
    do {
      let old = try CatalogDatabase(
        path: home.path, settings: CatalogDatabase.Settings(migrations: steps))
      try old.write { db in
        try db.execute(
          sql: """
            INSERT INTO device_state VALUES (zeroblob(16), 'state', '1', NULL, NULL, NULL, NULL, 3)
            """)
      }
      old.close()
    }
    let catalog = try home.open()
    let columns = try catalog.database.read { db in
      #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM device_state") == 0)
      return try Set(db.columns(in: "device_state").map(\.name))
    }
    #expect(columns.isSuperset(of: ["path", "member", "is_keeper", "snapshot_seconds"]))
    #expect(!columns.contains("changed"))
    #expect(
      try home.copies().contains("catalog.sqlite.before-5-device-state-by-tree.sqlite"))
    #expect(try catalog.check().isEmpty)
  }

  @Test func stepOneStillMakesTheSchemaOfVersionOne() throws {
    func schema(_ db: Database) throws -> [String] {
      try String.fetchAll(
        db,
        sql: """
          SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL
            AND name NOT LIKE 'grdb%' AND name NOT LIKE 'sqlite%' ORDER BY name
          """)
    }
    let steps = CatalogMigrations(steps: Array(CatalogMigrations.current.steps.prefix(1)))
    let catalog = try home.open(migrations: steps)
    let made = try catalog.database.read(schema)
    let hand = try DatabaseQueue(path: home.directory + "/hand.sqlite")
    let expected = try hand.writeWithoutTransaction { db in
      try db.execute(sql: versionOneSchema)
      return try schema(db)
    }
    #expect(made == expected)
  }
}
