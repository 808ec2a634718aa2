import GRDB
import Jobs

/// What a file says of its own schema.
struct SchemaState {
  /// `application_id` of its header.
  let applicationID: Int64
  /// `user_version` of its header: the number of steps applied.
  let version: Int64
  /// The names of the steps applied.
  let applied: Set<String>
  /// Whether it has tables of its own.
  let hasContent: Bool

  /// Reads a database without changing it.
  init(_ db: Database) throws {
    applicationID = try Int64.fetchOne(db, sql: "PRAGMA application_id") ?? 0
    version = try Int64.fetchOne(db, sql: "PRAGMA user_version") ?? 0
    // As the migrator reads it, which traps where it finds other steps than were found here.
    applied = try DatabaseMigrator().appliedIdentifiers(db)
    hasContent =
      try Bool.fetchOne(
        db,
        sql: """
          SELECT EXISTS (SELECT 1 FROM sqlite_schema
            WHERE name NOT LIKE 'grdb\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\')
          """) ?? false
  }

  /// Refuses what is no catalog, and a catalog that these migrations do not know.
  func check(_ migrations: CatalogMigrations, _ failure: CatalogFailure) throws(JobError) {
    guard hasContent || !applied.isEmpty || version != 0 else { return }
    guard applicationID == CatalogMigrations.applicationID else {
      throw failure.unusable(
        "is a database of another program, not a catalog", CatalogFailure.another)
    }
    let known = migrations.steps.map(\.name)
    guard version <= migrations.version, applied.isSubset(of: known) else {
      throw failure.unusable(
        "was written by a newer snapjob (schema version \(version), "
          + "this one knows \(migrations.version))",
        "Use a newer snapjob, or choose another catalog with --catalog PATH")
    }
    // Each step is applied after those before it, and writes its number into the header.
    let count = max(Int(version), applied.count)
    if let missing = known.prefix(count).first(where: { !applied.contains($0) }) {
      throw failure.unusable(
        "is damaged: of the steps of its schema it lacks \(missing)", CatalogFailure.restore)
    }
  }
}
