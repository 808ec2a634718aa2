import Foundation
import GRDB
import Glibc
import Jobs
import Qcow2
import Testing

@testable import JobCatalog

@Suite struct CatalogOpeningTests {
  let home: TemporaryCatalog

  init() throws { home = try TemporaryCatalog() }

  private func permissions(_ path: String) throws -> Int? {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return (attributes[.posixPermissions] as? NSNumber)?.intValue
  }

  private func write(_ data: Data, to path: String) throws {
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try data.write(to: URL(fileURLWithPath: path))
  }

  private func content(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path))
  }

  @Test func aNewCatalogIsPrivateAndSoAreTheDirectoriesMadeForIt() throws {
    let path = home.directory + "/a/b/catalog.sqlite"
    let catalog = try Catalog(path: path)
    _ = try catalog.insert([newJob("job1")])
    #expect(catalog.path == path)
    #expect(try permissions(home.directory + "/a") == 0o700)
    #expect(try permissions(home.directory + "/a/b") == 0o700)
    for file in [path, path + "-wal", path + "-shm"] { #expect(try permissions(file) == 0o600) }
  }

  @Test func aCatalogClosedByEverybodyIsOneFile() throws {
    let first = try home.open()
    let second = try home.open()
    _ = try first.insert([newJob("job1")])
    first.close()
    second.close()
    let files = try FileManager.default.contentsOfDirectory(atPath: home.directory + "/state")
    #expect(files.sorted() == ["catalog.sqlite", "catalog.sqlite.workers"])
  }

  @Test func manyProcessesMayCreateTheSameCatalogAtOnce() async throws {
    let home = home
    let ids = try await withThrowingTaskGroup(of: String.self) { group in
      for index in 0..<8 {
        group.addTask {
          let catalog = try home.open()
          _ = try catalog.insert([newJob("job\(index)", subject: nil)])
          return catalog.catalogID.description
        }
      }
      return try await group.reduce(into: Set()) { $0.insert($1) }
    }
    #expect(ids.count == 1)
    #expect(try home.open().jobs().count == 8)
  }

  @Test func aFileThatIsThereIsNotCreatedAnewAndNoOtherIsLeftBesideIt() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    let files = {
      try FileManager.default.contentsOfDirectory(atPath: home.directory + "/state").sorted()
    }
    let before = try files()
    let place = CatalogFailure(path: home.path, busyTimeout: .seconds(1))
    #expect(try !CatalogFile.create(home.path, place))
    #expect(try files() == before)
    #expect(try catalog.jobs().count == 1)
  }

  /// SQLite holds a POSIX lock on a database that is open in WAL mode. Whoever closes another descriptor of the file
  /// in the same process drops it.
  @Test func whateverIsOpenedAndClosedMeanwhileSQLiteKeepsItsLockOnTheFile() async throws {
    let home = home
    let catalogs = try await withThrowingTaskGroup(of: Catalog.self) { group in
      for _ in 0..<8 { group.addTask { try home.open() } }
      return try await group.reduce(into: [Catalog]()) { $0.append($1) }
    }
    #expect(try lockCount(home.path) > 0)
    let third = try home.open()
    try third.backup(to: home.directory + "/copy.sqlite")
    third.close()
    let place = CatalogFailure(path: home.path, busyTimeout: .seconds(1))
    #expect(try !CatalogFile.create(home.path, place))
    #expect(try lockCount(home.path) > 0)
    for catalog in catalogs { catalog.close() }
    #expect(try lockCount(home.path) == 0)
  }

  /// The POSIX locks that this process has on a file, by the kernel's list (proc_locks(5)).
  private func lockCount(_ path: String) throws -> Int {
    var status = stat()
    try #require(stat(path, &status) == 0)
    let locks = try String(contentsOfFile: "/proc/locks", encoding: .utf8)
    return locks.split(separator: "\n").count { line in
      let fields = line.split(separator: " ")
      return fields.contains("POSIX") && fields.contains("\(getpid())")
        && fields.contains { $0.hasSuffix(":\(status.st_ino)") }
    }
  }

  // MARK: Other users

  @Test(.enabled(if: geteuid() == 0, "only root can meet what is another user's"))
  func rootIsRefusedAnotherUsersCatalogAndLeavesNothing() throws {
    let nobody: uid_t = 65534
    let place = home.directory + "/theirs"
    try #require(mkdir(place, 0o755) == 0 && chown(place, nobody, nobody) == 0)
    let paths = [place + "/catalog.sqlite", place + "/deeper/still/catalog.sqlite"]
    for path in paths {
      let error = failure { _ = try Catalog(path: path) }
      #expect(error?.kind == .permission)
      #expect(
        error?.message.hasPrefix("Catalog \(path): its directory \(place) belongs to") == true)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)

    // A directory of root's with a user's catalog, and a link to it.
    do { _ = try home.open() }
    try #require(chown(home.path, nobody, nobody) == 0)
    let link = home.directory + "/link.sqlite"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: home.path)
    let before = try FileManager.default.contentsOfDirectory(atPath: home.directory + "/state")
    for path in [home.path, link] {
      let error = failure { _ = try Catalog(path: path) }
      #expect(error?.kind == .permission)
      #expect(error?.message.contains("it belongs to user nobody") == true)
      #expect(error?.message.hasSuffix("choose another catalog with --catalog PATH") == true)
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: home.directory + "/state").sorted()
        == before.sorted())
  }

  @Test func aSymbolicLinkLeadsToTheSameWorkers() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    let link = home.directory + "/link.sqlite"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: home.path)
    let other = try Catalog(path: link)
    #expect(other.path == home.path)
    #expect(try other.job(JobID("job1"))?.worker?.isAlive == true)
  }

  @Test func aSymbolicLinkToNothingIsRefused() throws {
    let link = home.directory + "/link.sqlite"
    try FileManager.default.createSymbolicLink(
      atPath: link, withDestinationPath: home.directory + "/nothing")
    let error = failure { _ = try Catalog(path: link) }
    #expect(error?.kind == .catalog)
    #expect(error?.message.contains(link) == true)
  }

  @Test func aPathThatNamesNoFileIsAUsageError() {
    for path in ["", "/", "/tmp/", "a\0b"] {
      #expect(failure { _ = try Catalog(path: path) }?.kind == .usage)
    }
  }

  @Test func aDirectoryOrFifoIsRefused() throws {
    let directory = failure { _ = try Catalog(path: home.directory) }
    #expect(directory?.kind == .catalog)
    #expect(directory?.message.contains("is no regular file") == true)
    let fifo = home.directory + "/fifo"
    #expect(mkfifo(fifo, 0o600) == 0)
    #expect(failure { _ = try Catalog(path: fifo) }?.kind == .catalog)
  }

  @Test func aFileWhereADirectoryShouldBeIsRefused() throws {
    let file = home.directory + "/file"
    try write(Data(), to: file)
    for path in [file + "/catalog.sqlite", file + "/deeper/catalog.sqlite"] {
      let error = failure { _ = try Catalog(path: path) }
      #expect(error?.kind == .catalog)
      #expect(error?.message.contains(path) == true)
      #expect(error?.message.hasSuffix("Choose another with --catalog PATH") == true)
    }
  }

  @Test func aPlaceWhereNothingCanBeCreatedIsRefused() {
    let error = failure { _ = try Catalog(path: "/proc/snapjob/catalog.sqlite") }
    #expect(error?.kind == .catalog || error?.kind == .permission)
    #expect(error?.message.contains("/proc/snapjob") == true)
  }

  @Test func anEmptyFileBecomesACatalog() throws {
    try write(Data(), to: home.path)
    let catalog = try home.open()
    #expect(try catalog.machines().count == 1)
  }

  @Test func aFileThatIsNoDatabaseIsRefusedUnchanged() throws {
    let junk = Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    try write(junk, to: home.path)
    let error = failure { _ = try home.open() }
    #expect(error?.kind == .catalog)
    #expect(error?.message.hasPrefix("Catalog \(home.path) is not a database") == true)
    #expect(error?.message.contains("Put a backup of it in its place") == true)
    #expect(try content(home.path) == junk)
  }

  @Test func anotherProgramsDatabaseIsRefusedUnchanged() throws {
    try write(Data(), to: home.path)
    let other = try DatabaseQueue(path: home.path)
    try other.write { db in try db.execute(sql: "CREATE TABLE bookmark (url TEXT)") }
    try other.close()
    let before = try content(home.path)
    let error = failure { _ = try home.open() }
    #expect(error?.kind == .catalog)
    #expect(error?.message.contains("is a database of another program") == true)
    #expect(try content(home.path) == before)
  }

  @Test func aDamagedCatalogIsRefusedOrReportedButNeverTraps() throws {
    do {
      let catalog = try home.open()
      for index in 0..<40 { _ = try catalog.insert([newJob("job\(index)", subject: nil)]) }
      try catalog.enter(commitIntent(jobs: [try JobID("job1")]))
    }
    let intact = try content(home.path)
    var refused = 0
    for page in 0..<(intact.count / 4096) {
      var damaged = intact
      for offset in stride(from: page * 4096 + (page == 0 ? 100 : 0), to: (page + 1) * 4096, by: 3)
      {
        damaged[offset] ^= 0x5A
      }
      let path = home.directory + "/damaged-\(page).sqlite"
      try write(damaged, to: path)
      let error = failure {
        let catalog = try Catalog(path: path)
        _ = try catalog.jobs()
        _ = try catalog.machines()
        _ = try catalog.unsettledCommits()
        _ = try catalog.events(after: 0)
        _ = try catalog.insert([newJob("another")])
        guard try !catalog.check().isEmpty else { return }
        throw JobError(.catalog, path)
      }
      if let error {
        refused += 1
        #expect(error.kind == .catalog, "page \(page): \(error)")
        #expect(error.message.contains(path))
      }
    }
    #expect(refused > 5)
  }

  @Test func aTruncatedCatalogIsRefused() throws {
    do {
      let catalog = try home.open()
      _ = try catalog.insert([newJob("job1")])
    }
    let intact = try content(home.path)
    // SQLite takes a file of one byte for an empty one.
    for count in [2, 15, 16, 99, 100, 511, 4095, 4096, 4097, intact.count / 2] {
      let path = home.directory + "/truncated-\(count).sqlite"
      try write(intact.prefix(count), to: path)
      let error = failure {
        let catalog = try Catalog(path: path)
        _ = try catalog.jobs()
        #expect(try !catalog.check().isEmpty, "\(count) bytes")
      }
      if let error { #expect(error.kind == .catalog, "\(count) bytes: \(error)") }
    }
  }

  @Test func aCatalogFromANewerVersionIsRefusedUnchanged() throws {
    var steps = CatalogMigrations.current.steps
    steps.append(
      CatalogMigration(name: "99-future") { db in
        try db.execute(sql: "CREATE TABLE future (x INTEGER)")
      })
    do { _ = try home.open(migrations: CatalogMigrations(steps: steps)) }
    let before = try content(home.path)
    let error = failure { _ = try home.open() }
    #expect(error?.kind == .catalog)
    #expect(
      error?.message.contains(
        "was written by a newer snapjob (schema version \(steps.count), "
          + "this one knows \(Catalog.schemaVersion))") == true)
    #expect(error?.message.contains("Use a newer snapjob") == true)
    #expect(try content(home.path) == before)
  }

  @Test func anUnknownMigrationIsRefusedWhateverTheVersionSays() throws {
    do {
      let catalog = try home.open()
      try catalog.database.write { db in
        try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('0-side-branch')")
      }
    }
    #expect(failure { _ = try home.open() }?.message.contains("newer snapjob") == true)
  }

  @Test func aCatalogLockedByAnotherProgramIsRefusedAfterTheWait() throws {
    do { _ = try home.open() }
    let holder = try DatabaseQueue(path: home.path)
    try holder.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
      let error = failure { _ = try home.open(busyTimeout: .milliseconds(100)) }
      #expect(error?.kind == .inUse)
      #expect(
        error?.message.contains("\(home.path) is locked by another program for more than 0.1 s")
          == true)
      try db.execute(sql: "COMMIT")
    }
    try holder.close()
    _ = try home.open()
  }

  @Test func aWriterOfAnotherProcessIsWaitedForAndReadersAreNotHeldUp() throws {
    let catalog = try home.open(busyTimeout: .milliseconds(100))
    let other = try home.open()
    _ = try other.insert([newJob("before", subject: nil)])
    try other.database.write { _ throws in
      #expect(try catalog.jobs().count == 1)
      let error = failure { try catalog.addMachine(named: "web") }
      #expect(error?.kind == .inUse)
      #expect(error?.message.contains("locked") == true)
    }
    try catalog.addMachine(named: "web")
  }

  @Test(.enabled(if: ReadOnlyFile.isPossible, "needs chattr +i, or a user other than root"))
  func aReadOnlyCatalogIsRefused() throws {
    do { _ = try home.open() }
    for target in [home.path, home.directory + "/state"] {
      let lock = try ReadOnlyFile(target)
      let error = failure { _ = try home.open() }
      withExtendedLifetime(lock) {}
      #expect(error?.kind == .catalog)
      #expect(error?.message.hasPrefix("Catalog \(home.path) is read-only. Make the file") == true)
    }
    _ = try home.open()
  }

  @Test(.enabled(if: ReadOnlyFile.isPossible, "needs chattr +i, or a user other than root"))
  func aDirectoryWithoutPermissionRefusesANewCatalog() throws {
    let lock = try ReadOnlyFile(home.directory)
    let error = failure { _ = try home.open() }
    withExtendedLifetime(lock) {}
    #expect(error?.kind == .permission)
    #expect(error?.message.contains(home.path) == true)
    #expect(error?.message.hasSuffix("Choose another with --catalog PATH") == true)
  }
}

/// Keeps a file or directory from being changed for as long as the value lives: by its mode, or for
/// root, who is above modes, by the immutable attribute.
private final class ReadOnlyFile {
  private let path: String

  static let isPossible: Bool = {
    if geteuid() != 0 { return true }
    let probe = FileManager.default.temporaryDirectory
      .appendingPathComponent("snapjob-probe-\(UUID().uuidString)").path
    guard FileManager.default.createFile(atPath: probe, contents: nil) else { return false }
    defer { try? FileManager.default.removeItem(atPath: probe) }
    guard chattr("+i", probe) else { return false }
    return chattr("-i", probe)
  }()

  init(_ path: String) throws {
    self.path = path
    if geteuid() == 0 {
      try #require(Self.chattr("+i", path))
    } else {
      try #require(chmod(path, 0o500) == 0)
    }
  }

  deinit {
    if geteuid() == 0 {
      _ = Self.chattr("-i", path)
    } else {
      chmod(path, 0o700)
    }
  }

  private static func chattr(_ flag: String, _ path: String) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["chattr", flag, path]
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}
