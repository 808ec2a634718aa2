public import Jobs
public import Logging
public import Qcow2
import Synchronization

/// One catalog, open in this process: the truth about jobs, machines and commit records.
///
/// It is three stores on one SQLite database: `JobStore`, `MachineStore` and
/// `CommitLog`. Any number of processes, and of values in one process, may have the
/// same catalog open; each value is a worker of its own. All calls are synchronous, may come from
/// any thread, and wait at most five seconds for another process.
public final class Catalog: Sendable {
  let database: CatalogDatabase
  let workers: WorkerRegistry
  let logger: Logger

  /// The catalog's own id, which its images carry.
  public let catalogID: CatalogID

  /// The catalog's absolute path without symbolic links.
  public var path: String { database.path }

  /// The version of the schema that this snapjob reads and writes.
  public static var schemaVersion: Int { CatalogMigrations.current.steps.count }

  /// Opens a catalog; creates it (0600, in a directory 0700) if there is none, and brings an older
  /// one up to date after copying it to `<path>.before-<step>.sqlite`.
  ///
  /// - Parameters:
  ///   - path: the file; relative paths count from the current directory.
  ///   - logger: where remarks go that concern no call's outcome.
  /// - Throws: `JobError`: kind catalog if it is read-only, corrupt, no catalog, locked, on a
  ///   network filesystem or from a newer version (nothing is changed then); permission or
  ///   no space if the system said so.
  public convenience init(
    path: String, logger: Logger = Logger(label: "snapjob.catalog")
  ) throws(JobError) {
    var settings = CatalogDatabase.Settings()
    settings.logger = logger
    try self.init(path: path, settings: settings)
  }

  init(path: String, settings: CatalogDatabase.Settings) throws(JobError) {
    let database = try CatalogDatabase(path: path, settings: settings)
    self.database = database
    workers = WorkerRegistry(database: database)
    logger = settings.logger
    catalogID = try database.read { db in try CommitTable(db).catalogID() }
    do throws(JobError) {
      try workers.removeLeftovers()
      try removeStateLeftovers()
    } catch {
      // What could not be tidied now is tidied next time; reading must work on a full disk, too.
      logger.warning("catalog not tidied", metadata: ["reason": "\(error)"])
    }
  }

  deinit { close() }

  /// Ends this value's work: it is no worker any more, and every later call throws.
  ///
  /// Called when the value is let go of, too.
  public func close() {
    workers.close()
    database.close()
  }
}
