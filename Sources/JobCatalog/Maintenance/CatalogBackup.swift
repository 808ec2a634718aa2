import Glibc
public import Jobs

extension Catalog {
  /// Whether a file is the catalog's: itself, its log and index, a lock of its processes, or a device state that waits.
  ///
  /// - Parameter path: absolute. Nothing is opened.
  /// - Returns: whether it is.
  public func owns(_ path: String) -> Bool { CatalogFamily(of: self.path).contains(path) }

  /// Copies the catalog, as it is in one instant, into a file (0600) while others go on using it.
  ///
  /// What has the name is replaced at once and whole if it is empty, or a copy of a catalog that nobody uses. A FIFO or
  /// a character device is written to.
  ///
  /// - Throws: `JobError`: a conflict if something else has the name, or what went wrong; what has the name is as it
  ///   was then.
  public func backup(to path: String) throws(JobError) {
    try BackupTarget(path, catalog: self).write { file throws(JobError) in
      try database.copy(to: file)
    }
  }
}

/// The files of one catalog.
struct CatalogFamily {
  let path: String
  private var lockDirectory: String { path + ".workers" }
  private var directories: [String] { [lockDirectory, path + ".states"] }
  private var files: [String] { [path] + ["-wal", "-shm", "-journal"].map { path + $0 } }

  /// - Parameter path: the catalog's, absolute and without symbolic links.
  init(of path: String) { self.path = path }

  /// Whether a file is one of them; nothing is opened.
  func contains(_ candidate: String) -> Bool {
    let (directory, name) = CatalogFile.split(candidate)
    let place = CatalogFile.resolved(directory) ?? directory
    let real = CatalogFile.resolved(candidate) ?? (place == "/" ? "/" + name : place + "/" + name)
    if files.contains(real) || directories.contains(where: { real.hasPrefix($0 + "/") }) {
      return true
    }
    // By another name: a hard link, or a mount.
    guard let identity = Self.identity(candidate) else { return false }
    if directories.contains(where: {
      Self.identity(directory) ?? (0, 0) == Self.identity($0) ?? (1, 0)
    }) {
      return true
    }
    return files.contains { Self.identity($0) ?? (0, 0) == identity }
  }

  /// Whether somebody uses it, or has died while he did.
  var isInUse: Bool {
    (files.dropFirst() + [lockDirectory]).contains { Self.identity($0) != nil }
  }

  private static func identity(_ path: String) -> (UInt64, UInt64)? {
    var status = stat()
    return stat(path, &status) == 0 ? (UInt64(status.st_dev), UInt64(status.st_ino)) : nil
  }
}

/// The file that a copy of a catalog is to become.
private struct BackupTarget {
  /// What each SQLite database begins with, and where its application id stands (SQLite's "Database File Format").
  private static let magic = Array("SQLite format 3\0".utf8)
  private static let applicationIDOffset = 68

  private let path: String
  private let isSpecial: Bool
  private let failure: CatalogFailure
  private let catalog: String

  init(_ given: String, catalog: Catalog) throws(JobError) {
    let path = CatalogFile.resolved(given) ?? given
    failure = CatalogFailure(path: path, busyTimeout: .zero)
    self.catalog = catalog.path
    let directory = CatalogFile.split(path).directory
    var status = stat()
    guard stat(directory, &status) == 0 else {
      throw JobError(.notFound, "\(given): there is no directory \(directory); choose another FILE")
    }
    guard stat(given, &status) == 0 else {
      guard lstat(given, &status) != 0 else {
        throw JobError(
          .conflict, "\(given) is a symbolic link that leads nowhere. Name another file")
      }
      self.path = path
      isSpecial = false
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFIFO, S_IFCHR: (self.path, isSpecial) = (given, true)
    case S_IFREG: (self.path, isSpecial) = (path, false)
    default:
      throw JobError(.conflict, "\(given) is no regular file, and is not replaced by one")
    }
    if isSpecial { return }
    // Before it is opened: see CatalogFile.
    guard !catalog.owns(path), !CatalogFamily(of: path).isInUse else {
      throw JobError(
        .conflict, "\(given) is a catalog in use, and is not replaced. Name another file")
    }
    guard try Self.isCopy(path, byteCount: Int(status.st_size), failure) else {
      throw JobError(
        .conflict,
        "\(given) exists already and is no copy of a catalog. Name another file, or remove it first"
      )
    }
  }

  /// Whether a file is empty or begins as a catalog does.
  private static func isCopy(
    _ path: String, byteCount: Int, _ failure: CatalogFailure
  ) throws(JobError) -> Bool {
    if byteCount == 0 { return true }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure.systemError(errno, doing: "open \(path)") }
    defer { close(descriptor) }
    var start = [UInt8](repeating: 0, count: applicationIDOffset + 4)
    guard pread(descriptor, &start, start.count, 0) == start.count else { return false }
    let id = start[applicationIDOffset...].reduce(Int64(0)) { $0 << 8 | Int64($1) }
    return start.starts(with: magic) && id == CatalogMigrations.applicationID
  }

  /// Has the copy made under a name that nobody knows, and gives it its own.
  func write(_ copy: (String) throws(JobError) -> Void) throws(JobError) {
    let beside = isSpecial ? catalog : path
    let unfinished = "\(beside).copy-\(String(UInt64.random(in: .min ... .max), radix: 16))"
    try copy(unfinished)
    defer { unlink(unfinished) }
    if isSpecial { return try pour(unfinished) }
    try CatalogFile.synchronize(unfinished, failure)
    guard rename(unfinished, path) == 0 else {
      throw failure.systemError(errno, doing: "name the copy \(path)")
    }
    try CatalogFile.syncDirectory(CatalogFile.split(path).directory, failure)
  }

  private func pour(_ source: String) throws(JobError) {
    let input = open(source, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw failure.systemError(errno, doing: "open \(source)") }
    defer { close(input) }
    // A FIFO that nobody reads would keep us for ever.
    let output = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard output >= 0 else {
      guard errno == ENXIO else { throw failure.systemError(errno, doing: "open \(path)") }
      throw JobError(
        .connection, "\(path): nobody reads from it. The reader has to be started first")
    }
    _ = fcntl(output, F_SETFL, O_WRONLY)
    defer { close(output) }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(input, &buffer, buffer.count)
      guard count > 0 else {
        guard count == 0 else { throw failure.systemError(errno, doing: "read the copy") }
        return
      }
      var done = 0
      while done < count {
        let written = buffer[done..<count].withUnsafeBytes {
          Glibc.write(output, $0.baseAddress, $0.count)
        }
        guard written >= 0 || errno == EINTR else {
          throw failure.systemError(errno, doing: "write to \(path)")
        }
        done += max(0, written)
      }
    }
  }
}
