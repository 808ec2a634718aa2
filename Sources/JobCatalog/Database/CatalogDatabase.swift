import FileNames
import Foundation
import GRDB
import Glibc
import Jobs
import Logging
import SnapshotJobs
import Synchronization

/// The SQLite database of one catalog, open in this process.
///
/// One connection writes, several read beside it, and one follows the changes of all. A commit
/// survives the end of the process; one made by ``writeDurably(_:)`` survives a power failure, and
/// with it everything committed before.
final class CatalogDatabase: Sendable {
  /// How a catalog is opened; tests choose other values.
  struct Settings: Sendable {
    /// How long another program's lock is waited for.
    var busyTimeout = Duration.seconds(5)
    /// The schema's steps.
    var migrations = CatalogMigrations.current
    /// Told each SQL statement of the writing connection.
    var onStatement: (@Sendable (String) -> Void)?
    /// Told each file and directory of a kept copy once it is durable.
    var onSynchronize: (@Sendable (String) -> Void)?
    /// Where remarks go.
    var logger = Logger(label: "snapjob.catalog")
  }

  /// The absolute path without symbolic links.
  let path: String
  let failure: CatalogFailure
  private let settings: Settings
  private let pool: DatabasePool
  private let follower: DatabaseQueue
  private let isLogSuspect: Atomic<Bool>
  private let hasClosed = Atomic(false)

  /// Opens a catalog, creates it if there is none, and brings its schema up to date.
  ///
  /// - Throws: `JobError`. An existing file that is no catalog, or one from a newer version, is
  ///   unchanged then; one whose migration failed is as before that migration.
  init(path given: String, settings: Settings) throws(JobError) {
    let file = try CatalogFile(at: given, busyTimeout: settings.busyTimeout)
    path = file.path
    failure = file.failure
    self.settings = settings
    var status = stat()
    isLogSuspect = Atomic(stat(file.path + "-wal", &status) == 0 && status.st_size > 0)
    do {
      // The follower comes first: it only reads, so a foreign database is refused unchanged.
      follower = try DatabaseQueue(
        path: DatabaseName.of(file.path),
        configuration: Self.configuration(settings, isReader: true))
      let state = try follower.read { db in try SchemaState(db) }
      try state.check(settings.migrations, file.failure)
      pool = try DatabasePool(
        path: DatabaseName.of(file.path),
        configuration: Self.configuration(settings, isReader: false))
    } catch {
      throw file.failure.jobError(for: error)
    }
    try migrate()
    if settings.migrations.version >= CatalogMigrations.current.version {
      try read { db in try CatalogTables.check(db, failure) }
    }
  }

  private static func configuration(_ settings: Settings, isReader: Bool) -> Configuration {
    var configuration = Configuration()
    let busy = settings.busyTimeout.components
    let milliseconds = busy.seconds * 1000 + busy.attoseconds / 1_000_000_000_000_000
    configuration.readonly = isReader
    configuration.busyMode = .timeout(TimeInterval(milliseconds) / 1000)
    configuration.foreignKeysEnabled = true
    configuration.label = "snapjob.catalog"
    configuration.prepareDatabase { db in
      // GRDB gives the pool's readers a timeout of its own.
      try db.execute(sql: "PRAGMA busy_timeout = \(milliseconds)")
      try db.execute(sql: "PRAGMA trusted_schema = OFF")
      if let onStatement = settings.onStatement, !db.configuration.readonly {
        db.trace { onStatement($0.description) }
      }
    }
    return configuration
  }

  /// Reads a consistent state; never waits for a writer.
  func read<Value>(_ body: (Database) throws -> Value) throws(JobError) -> Value {
    do {
      return try pool.read(body)
    } catch {
      throw failure.jobError(for: error)
    }
  }

  /// Writes in one transaction that survives the end of this process (`synchronous=NORMAL`).
  ///
  /// - Throws: `JobError`; nothing is written then, unless COMMIT itself failed.
  @discardableResult
  func write<Value>(_ body: (Database) throws -> Value) throws(JobError) -> Value {
    do {
      return try pool.writeWithoutTransaction { db in try Self.transaction(db, body) }
    } catch {
      throw failure.jobError(for: error)
    }
  }

  /// Writes in one transaction that survives a power failure (`synchronous=FULL`).
  ///
  /// - Throws: `JobError`; nothing is written then, unless COMMIT itself failed.
  @discardableResult
  func writeDurably<Value>(_ body: (Database) throws -> Value) throws(JobError) -> Value {
    do throws(CommitLogError) {
      return try commitDurably(body)
    } catch {
      throw error.error
    }
  }

  /// Writes in one transaction that survives a power failure.
  ///
  /// - Throws: `CommitLogError`, ambiguous if COMMIT failed for another reason than a full disk: what was written
  ///   may be there all the same.
  @discardableResult
  func commitDurably<Value>(
    _ body: (Database) throws -> Value
  ) throws(CommitLogError) -> Value {
    var isCommitting = false
    do {
      return try pool.writeWithoutTransaction { db in
        // SQLite takes this setting between transactions only.
        try db.execute(sql: "PRAGMA synchronous = FULL")
        // Failing to reset it costs time, not safety.
        defer { try? db.execute(sql: "PRAGMA synchronous = NORMAL") }
        return try Self.transaction(db) { db in
          let value = try body(db)
          isCommitting = true
          return value
        }
      }
    } catch {
      let isFull = (error as? DatabaseError)?.resultCode == .SQLITE_FULL
      let isAmbiguous = isCommitting && !isFull
      if isAmbiguous { suspectLog() }
      throw CommitLogError(failure.jobError(for: error), isAmbiguous: isAmbiguous)
    }
  }

  // MARK: Gaps in the log

  /// Notes that frames of the log may be missing on the disk: what is committed behind them would be lost with
  /// the power.
  private func suspectLog() {
    isLogSuspect.store(true, ordering: .relaxed)
    // For other processes; this one knows.
    try? write { db in try db.execute(sql: "UPDATE meta SET log_suspect = 1") }
  }

  /// Begins the log anew if frames of it may be missing on the disk.
  ///
  /// That is so after an fsync that failed, in whatever process; and where the log was there before this process: those
  /// who wrote it may all have been killed since.
  func secureIfSuspect() throws(JobError) {
    let isNoted = try read { db in
      try Bool.fetchOne(db, sql: "SELECT log_suspect <> 0 FROM meta") ?? false
    }
    if isNoted || isLogSuspect.load(ordering: .relaxed) { try secure() }
  }

  /// Makes everything durable that is committed, whatever became of earlier fsyncs of the log.
  ///
  /// A complete checkpoint brings it into the database file. That alone is not enough: after a power failure SQLite
  /// replays the frames of the old log that have reached the disk over the database, also those that newer ones have
  /// outdated in the page cache only. So the log is begun anew with a commit, whose new salt makes old frames
  /// invalid.
  ///
  /// - Throws: `JobError`, in use if somebody reads an older state of the catalog for too long.
  func secure() throws(JobError) {
    try withWriter { db in
      let row = try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
      guard let row, row[0] as Int64? == 0 else {
        throw JobError(
          .inUse,
          "Catalog \(path): another program is at it, which keeps it from being made durable. Try again when that "
            + "program has ended; fuser \(path) names it")
      }
    }
    try writeDurably { db in
      try db.execute(sql: "UPDATE meta SET log_secured = log_secured + 1, log_suspect = 0")
    }
    isLogSuspect.store(false, ordering: .relaxed)
  }

  /// Runs statements outside a transaction.
  func withWriter<Value>(_ body: (Database) throws -> Value) throws(JobError) -> Value {
    do {
      return try pool.writeWithoutTransaction(body)
    } catch {
      throw failure.jobError(for: error)
    }
  }

  private static func transaction<Value>(
    _ db: Database, _ body: (Database) throws -> Value
  ) throws -> Value {
    var value: Value?
    // Immediate: a transaction that begins by reading could not be upgraded beside another writer.
    try db.inTransaction(.immediate) {
      value = try body(db)
      return .commit
    }
    guard let value else { throw DatabaseError(resultCode: .SQLITE_ABORT) }
    return value
  }

  /// A number that changes whenever any other connection, of this process or another, has
  /// committed.
  func dataVersion() throws(JobError) -> Int64 {
    do {
      return try follower.unsafeRead { db in
        try Int64.fetchOne(db, sql: "PRAGMA data_version") ?? 0
      }
    } catch {
      throw failure.jobError(for: error)
    }
  }

  /// Copies the database, as it is in one instant, into a new file (0600).
  ///
  /// - Throws: `JobError`: a conflict if the file exists; the new file is removed otherwise.
  func copy(to target: String) throws(JobError) {
    let place = CatalogFailure(path: target, busyTimeout: settings.busyTimeout)
    guard try CatalogFile.create(target, place) else {
      throw JobError(.conflict, "\(target) exists already. Choose another name for the copy")
    }
    do {
      let copy = try DatabaseQueue(path: DatabaseName.of(target))
      try pool.backup(to: copy)
      try copy.writeWithoutTransaction { db in
        // One file instead of three: a copy is to be carried about.
        _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
      }
      try copy.close()
    } catch {
      unlink(target)
      throw place.jobError(for: error)
    }
  }

  /// Whether ``close()`` was called.
  var isClosed: Bool { hasClosed.load(ordering: .relaxed) }

  /// Closes all connections; every later call throws.
  func close() {
    hasClosed.store(true, ordering: .relaxed)
    try? follower.close()
    // Readers first: the last connection to close, the writing one, can then tidy up the log.
    pool.releaseMemory()
    try? pool.close()
  }
}

extension CatalogDatabase {
  /// The directory beside the catalog in which processes hold their locks.
  var lockDirectory: String { path + ".workers" }

  /// Creates the lock directory (0700) if it is missing.
  func makeLockDirectory() throws(JobError) {
    guard mkdir(lockDirectory, 0o700) == 0 || errno == EEXIST else {
      throw failure.systemError(errno, doing: "create the directory \(lockDirectory)")
    }
  }

  private func migrate() throws(JobError) {
    let migrator = settings.migrations.migrator()
    guard try !read({ db in try migrator.hasCompletedMigrations(db) }) else { return }
    // Two processes that both find an old schema take turns; the second finds nothing to do.
    let lock = try migrationLock()
    defer { withExtendedLifetime(lock) {} }
    let state = try read { db in try SchemaState(db) }
    try state.check(settings.migrations, failure)
    let steps = settings.migrations.steps.filter { !state.applied.contains($0.name) }
    // All before the first: a catalog that is refused is still one of the version that wrote it.
    if !state.applied.isEmpty { try read { db in for step in steps { try step.admit(db) } } }
    for step in steps {
      if !state.applied.isEmpty { try keepCopy(before: step) }
      do {
        try migrator.migrate(pool, upTo: step.name)
      } catch {
        throw failure.jobError(for: error)
      }
      settings.logger.debug("catalog migrated", metadata: ["step": "\(step.name)"])
    }
  }

  private func migrationLock() throws(JobError) -> OpenFileLock {
    try makeLockDirectory()
    let name = lockDirectory + "/migration.lock"
    let clock = ContinuousClock()
    // Another process's migration includes a copy of the whole file.
    let deadline = clock.now + settings.busyTimeout * 12
    while true {
      switch OpenFileLock.acquire(name) {
      case .locked(let lock): return lock
      case .failed(let code): throw failure.systemError(code, doing: "lock \(name)")
      case .held:
        guard clock.now < deadline else {
          throw failure.unusable(
            "is being brought up to date by another snapjob", "Try again when that has ended")
        }
        usleep(20_000)
      }
    }
  }

  private func keepCopy(before step: CatalogMigration) throws(JobError) {
    let target = "\(path).before-\(step.name).sqlite"
    let unfinished = target + ".unfinished"
    // Left by a process that ended while copying; the lock says that nobody is.
    unlink(unfinished)
    try copy(to: unfinished)
    // The step that follows may be the one that the power fails in: then the copy has to be there.
    try CatalogFile.synchronize(unfinished, failure)
    settings.onSynchronize?(unfinished)
    guard rename(unfinished, target) == 0 else {
      throw failure.systemError(errno, doing: "name the copy \(target)")
    }
    let directory = target.pathParts.directory
    try CatalogFile.syncDirectory(directory, failure)
    settings.onSynchronize?(directory)
  }
}
