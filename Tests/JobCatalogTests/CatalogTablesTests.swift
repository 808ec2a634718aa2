import GRDB
import Jobs
import Testing

@testable import JobCatalog

@Suite struct CatalogTablesTests {
  private static let columns = CatalogTables.columns.flatMap { table, columns in
    columns.map { (table, $0) }
  }

  private let home: TemporaryCatalog

  init() throws {
    home = try TemporaryCatalog()
    try home.open().close()
  }

  private func edit(_ sql: String) throws {
    try DatabaseQueue(path: home.path).writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON")
      try db.execute(sql: sql)
    }
  }

  /// Opening the catalog fails with these words, before any step is begun.
  private func expectRefusal(_ words: String) throws {
    let error = failure { _ = try home.open() }
    #expect(error?.kind == .catalog)
    #expect(error?.message.contains(words) == true)
    #expect(try home.copies().isEmpty)
  }

  @Test func isThatOfANewCatalog() throws {
    let found = try DatabaseQueue(path: home.path).read { db in
      var found: [String: Set<String>] = [:]
      for table in try String.fetchAll(
        db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table'")
      where !table.hasPrefix("sqlite_") && !table.hasPrefix("grdb_") {
        found[table] = Set(try db.columns(in: table).map(\.name))
      }
      return found
    }
    #expect(found == CatalogTables.columns)
  }

  @Test(arguments: columns)
  func aCatalogThatLacksAColumnIsRefused(table: String, column: String) throws {
    try edit("ALTER TABLE \(table) RENAME COLUMN \(column) TO elsewhere")
    try expectRefusal("its schema lacks \(table).\(column).")
  }

  @Test(arguments: CatalogTables.columns.keys)
  func aCatalogThatLacksATableIsRefused(table: String) throws {
    try edit("ALTER TABLE \(table) RENAME TO elsewhere")
    try expectRefusal("its schema lacks \(table).")
  }

  @Test(arguments: CatalogMigrations.current.steps.map(\.name))
  func aCatalogThatLacksAStepIsRefused(step: String) throws {
    try edit("DELETE FROM grdb_migrations WHERE identifier = '\(step)'")
    try expectRefusal("of the steps of its schema it lacks \(step).")
  }

  @Test func stepsThatOthersFollowAreNotAppliedAgainWhateverTheHeaderSays() throws {
    try edit("DELETE FROM grdb_migrations WHERE identifier = '2-monitor'; PRAGMA user_version = 0")
    try expectRefusal("of the steps of its schema it lacks 2-monitor.")
  }

  @Test func stepsInATableThatTheSchemaNamesByAnotherTypeAreFound() throws {
    try edit("DELETE FROM grdb_migrations WHERE identifier = '7-snapshot-makers'")
    try edit(
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET type = 'tablE' WHERE name = 'grdb_migrations'"
    )
    try expectRefusal("of the steps of its schema it lacks 7-snapshot-makers.")
  }

  @Test func aColumnThatIsMissingInAnAnswerIsNoTrap() throws {
    try DatabaseQueue().read { db in
      let row = try #require(try Row.fetchOne(db, sql: "SELECT 1 AS one"))
      #expect(throws: MalformedRow.self) { try row.value("two", as: Int64.self) }
      #expect(throws: MalformedRow.self) { try row.optional("two", as: Int64.self) }
    }
  }
}
