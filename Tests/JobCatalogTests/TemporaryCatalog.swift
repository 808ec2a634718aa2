import Foundation
import Jobs
import Synchronization
import Testing

@testable import JobCatalog

/// A directory of its own for one test, removed with the value, and the path of a catalog in it.
final class TemporaryCatalog: Sendable {
  let directory: String

  init() throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("snapjob-catalog-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    directory = url.resolvingSymlinksInPath().path
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  var path: String { directory + "/state/catalog.sqlite" }

  /// The names of the copies that were kept before steps of the schema.
  func copies() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory + "/state")
      .filter { $0.contains(".before-") }.sorted()
  }

  func open(
    busyTimeout: Duration = .seconds(5), migrations: CatalogMigrations = .current,
    onStatement: (@Sendable (String) -> Void)? = nil,
    onSynchronize: (@Sendable (String) -> Void)? = nil
  ) throws(JobError) -> Catalog {
    try Catalog(
      path: path,
      settings: CatalogDatabase.Settings(
        busyTimeout: busyTimeout, migrations: migrations, onStatement: onStatement,
        onSynchronize: onSynchronize))
  }
}

/// The statements of a catalog's writing connection.
final class StatementLog: Sendable {
  private let statements = Mutex<[String]>([])

  func append(_ statement: String) { statements.withLock { $0.append(statement) } }
  /// Everything in its order.
  var all: [String] { statements.withLock { $0 } }

  func reset() { statements.withLock { $0.removeAll() } }

  /// The value of `synchronous` at each COMMIT so far; NORMAL is what a connection starts with.
  func commitLevels() -> [String] {
    var level = "NORMAL"
    var levels: [String] = []
    for statement in statements.withLock({ $0 }) {
      if let range = statement.range(of: "PRAGMA synchronous = ") {
        level = String(statement[range.upperBound...])
      } else if statement.hasPrefix("COMMIT") {
        levels.append(level)
      }
    }
    return levels
  }
}

/// A job about to be created.
func newJob(
  _ id: String, subject: String? = "default", at microseconds: Int64 = 1_000_000
) throws -> JobRecord {
  JobRecord(
    id: try JobID(id), type: "snapshot-save", subject: subject, autoFinalize: true,
    autoDismiss: false, note: nil, arguments: #"{"tag":"t"}"#,
    created: Timestamp(microseconds: microseconds))
}

extension Catalog {
  /// Takes a job through a status change.
  func move(_ id: String, to status: JobStatus, at microseconds: Int64 = 2_000_000) throws {
    var record = try #require(try job(JobID(id)))
    record.status = status
    if status == .concluded { record.concluded = Timestamp(microseconds: microseconds) }
    try self.record([record], at: Timestamp(microseconds: microseconds))
  }
}

/// The failure that an expression throws.
func failure(_ body: () throws -> Void) -> JobError? {
  do {
    try body()
    return nil
  } catch {
    return error as? JobError ?? JobError(.general, "\(error)")
  }
}
