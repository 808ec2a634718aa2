import GRDB
import Jobs

/// The tables and columns that this version's statements name.
///
/// A step of the schema that changes a table changes its line here.
struct CatalogTables {
  /// The columns of each table.
  static let columns: [String: Set<String>] = [
    "meta": ["only_row", "catalog_id", "created", "pruned", "log_secured", "log_suspect"],
    "machine": ["number", "name", "vmstate", "monitor"],
    "node": ["machine", "position", "name", "path", "read_only", "excluded"],
    "worker": ["number", "pid", "uid", "lock_file", "boot_id", "started"],
    "job_transaction": ["number", "created"],
    "job": [
      "seq", "id", "type", "subject", "txn", "auto_finalize", "auto_dismiss", "note", "arguments",
      "result", "status", "progress_current", "progress_total", "error_kind", "error_message",
      "created", "started", "concluded", "dismissed", "worker",
    ],
    "busy_subject": ["subject", "txn"],
    "job_status": ["number", "job", "status", "time"],
    "verb_request": [
      "number", "job", "verb", "created", "answered", "error_kind", "error_message",
      "taken_up",
    ],
    "commit_intent": [
      "number", "id", "worker", "pid", "lock_byte", "created", "settled", "note",
    ],
    "commit_job": ["intent", "position", "id", "job"],
    "commit_member": [
      "intent", "position", "node", "path", "before", "fenced", "after", "after_fenced",
      "checksum", "confirm",
    ],
    "commit_decision": ["intent", "decision", "time"],
    "image_to_clean": ["path"],
    "made_snapshot": ["number", "tag", "id", "seconds", "nanoseconds", "job", "note", "intent"],
    "snapshot_image": ["snapshot", "path", "device", "inode"],
    "device_state": [
      "commit_id", "path", "state", "member", "member_count", "is_keeper", "snapshot",
      "snapshot_seconds", "snapshot_nanoseconds", "snapshot_size", "file", "length", "modified",
      "created",
    ],
  ]

  /// What a database lacks of it, `TABLE` or `TABLE.COLUMN`, sorted.
  ///
  /// One statement, because every command opens a catalog.
  static func missing(in db: Database) throws -> [String] {
    var found: [String: Set<String>] = [:]
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT tables.name AS "table", columns.name AS "column"
        FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table'
        """)
    for row in rows {
      let (table, column): (String, String) = (try row.value("table"), try row.value("column"))
      found[table, default: []].insert(column)
    }
    return columns.flatMap { table, columns -> [String] in
      guard let present = found[table] else { return [table] }
      return columns.subtracting(present).map { "\(table).\($0)" }
    }.sorted()
  }

  /// Refuses a catalog whose migrations have all been applied and that is not as they have left it.
  static func check(_ db: Database, _ failure: CatalogFailure) throws {
    let missing = try missing(in: db)
    guard let first = missing.first else { return }
    let more = missing.count > 1 ? " and \(missing.count - 1) more" : ""
    throw failure.unusable(
      "is damaged: its schema lacks \(first)\(more)", CatalogFailure.restore)
  }
}
