import Foundation
import Glibc
import Jobs
import Synchronization

/// The file of a catalog before SQLite sees it: where it is, whether it can be used, and its
/// creation with the right permissions.
///
/// Nothing here opens a file that SQLite may have open: closing any descriptor of a file drops all
/// POSIX locks of this process on it, and SQLite lives on those.
struct CatalogFile {
  /// The absolute path without symbolic links.
  let path: String
  let failure: CatalogFailure

  /// The creation of a catalog by one thread is over, descriptor closed, before another thread of
  /// this process lets SQLite open it.
  private static let creation = Mutex(())

  /// Checks a catalog's file, or creates an empty one (0600) in a directory that is created as
  /// well (0700) if need be.
  ///
  /// - Throws: `JobError` with the reason why no catalog can be here; directories that were
  ///   created stay.
  init(at given: String, busyTimeout: Duration) throws(JobError) {
    guard !given.isEmpty, !given.hasSuffix("/"), !given.utf8.contains(0) else {
      throw JobError(.usage, "'\(given)' is no path of a file. Choose one with --catalog PATH")
    }
    let current = FileManager.default.currentDirectoryPath
    let absolute = given.hasPrefix("/") ? given : current + "/" + given
    var failure = CatalogFailure(path: absolute, busyTimeout: busyTimeout)
    let parts = Self.split(absolute)
    try Self.makeDirectory(parts.directory, failure)
    guard let directory = Self.resolved(parts.directory) else {
      throw failure.systemError(errno, doing: "find its directory")
    }
    var path = directory == "/" ? "/" + parts.name : directory + "/" + parts.name
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK {
      guard let target = Self.resolved(path) else {
        throw failure.systemError(errno, doing: "follow the symbolic link")
      }
      path = target
    }
    failure = CatalogFailure(path: path, busyTimeout: busyTimeout)
    self.path = path
    self.failure = failure
    if let network = NetworkFilesystem.type(at: Self.split(path).directory) {
      throw failure.unusable(
        "is on a network filesystem (\(network)), where several processes cannot share it",
        "Choose a path on a local disk with --catalog PATH")
    }
    try createIfMissing()
    try checkAccess()
  }

  private static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let directory = path[..<slash]
    return (directory.isEmpty ? "/" : String(directory), String(path[path.index(after: slash)...]))
  }

  private static func resolved(_ path: String) -> String? {
    guard let buffer = realpath(path, nil) else { return nil }
    defer { free(buffer) }
    return String(cString: buffer)
  }

  private static func makeDirectory(
    _ directory: String, _ failure: CatalogFailure
  ) throws(JobError) {
    var status = stat()
    if stat(directory, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw failure.unusable(
          "cannot be there: \(directory) is no directory", CatalogFailure.another)
      }
      return
    }
    guard errno == ENOENT else {
      throw failure.systemError(errno, doing: "look at the directory \(directory)")
    }
    let parent = split(directory).directory
    if parent != directory { try makeDirectory(parent, failure) }
    guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
      throw failure.systemError(errno, doing: "create the directory \(directory)")
    }
    try syncDirectory(parent, failure)
  }

  /// Makes a new name in a directory survive a power failure.
  static func syncDirectory(_ directory: String, _ failure: CatalogFailure) throws(JobError) {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    // A directory that may be entered but not listed cannot be opened, hence not synced.
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw failure.systemError(errno, doing: "sync the directory \(directory)")
    }
  }

  /// Creates an empty file (0600) and makes its name durable.
  ///
  /// - Returns: whether the file is new.
  static func create(_ path: String, _ failure: CatalogFailure) throws(JobError) -> Bool {
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      guard errno == EEXIST else { throw failure.systemError(errno, doing: "create \(path)") }
      return false
    }
    close(descriptor)
    try syncDirectory(split(path).directory, failure)
    return true
  }

  private func createIfMissing() throws(JobError) {
    let failure = failure
    let path = path
    try Self.creation.withLock { _ throws(JobError) in
      var status = stat()
      if stat(path, &status) != 0, errno == ENOENT { _ = try Self.create(path, failure) }
    }
  }

  private func checkAccess() throws(JobError) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw failure.systemError(errno, doing: "look at it") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw failure.unusable("is no regular file", CatalogFailure.another)
    }
    guard faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0 else {
      throw failure.systemError(errno, doing: "read it")
    }
    // The directory takes the write-ahead log, its index and the workers' lock files.
    let directory = Self.split(path).directory
    guard faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0,
      faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0
    else { throw failure.readOnly }
  }
}
