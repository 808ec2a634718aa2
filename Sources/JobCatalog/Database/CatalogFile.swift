import CLinux
import FileNames
import Foundation
import Glibc
import Jobs

/// The file of a catalog before SQLite sees it: where it is, whether it can be used, and its
/// creation with the right permissions.
///
/// Nothing here, nor elsewhere in snapjob, opens a file that SQLite may have open: closing any descriptor of a file
/// drops all POSIX locks of this process on it, and SQLite lives on those. A new file is closed before it has the name
/// under which SQLite opens it.
struct CatalogFile {
  /// The absolute path without symbolic links.
  let path: String
  let failure: CatalogFailure

  /// Checks a catalog's file, or creates an empty one (0600) in a directory that is created as
  /// well (0700) if need be.
  ///
  /// - Throws: `JobError` with the reason why no catalog can be here; directories that were
  ///   created stay. Nothing is created where it is another user's.
  init(at given: String, busyTimeout: Duration) throws(JobError) {
    guard !given.isEmpty, given.utf8.last != UInt8(ascii: "/"), !given.utf8.contains(0) else {
      throw JobError(.usage, "'\(given)' is no path of a file. Choose one with --catalog PATH")
    }
    let current = given.isAbsolutePath ? "" : getcwd()
    guard let current else {
      throw JobError(
        .notFound,
        "the catalog '\(given)' cannot be found: the working directory cannot be told. Was it removed? Name it "
          + "from '/' on")
    }
    let absolute = given.isAbsolutePath ? given : current + "/" + given
    var failure = CatalogFailure(path: absolute, busyTimeout: busyTimeout)
    let parts = absolute.pathParts
    try CatalogOwner.checkDirectory(Self.nearest(parts.directory), failure)
    try Self.makeDirectory(parts.directory, failure)
    guard let directory = realpath(parts.directory) else {
      throw failure.systemError(errno, doing: "find its directory")
    }
    var path = directory == "/" ? "/" + parts.name : directory + "/" + parts.name
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK {
      guard let target = realpath(path) else {
        throw failure.systemError(errno, doing: "follow the symbolic link")
      }
      path = target
    }
    failure = CatalogFailure(path: path, busyTimeout: busyTimeout)
    self.path = path
    self.failure = failure
    try CatalogOwner.checkDirectory(path.pathParts.directory, failure)
    try CatalogOwner.checkFile(path, failure)
    if let network = NetworkFilesystem.type(at: path.pathParts.directory) {
      throw failure.unusable(
        "is on a network filesystem (\(network)), where several processes cannot share it",
        "Choose a path on a local disk with --catalog PATH")
    }
    try createIfMissing()
    try checkAccess()
  }

  /// The nearest directory on the way to a path that is there already.
  private static func nearest(_ directory: String) -> String {
    var status = stat()
    var place = directory
    while stat(place, &status) != 0, errno == ENOENT {
      let parent = place.pathParts.directory
      if parent == place { break }
      place = parent
    }
    return place
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
    let parent = directory.pathParts.directory
    if !parent.hasSameBytes(as: directory) { try makeDirectory(parent, failure) }
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

  /// Makes the content of a file durable that SQLite has closed, and that nobody else opens under this name.
  static func synchronize(_ path: String, _ failure: CatalogFailure) throws(JobError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw failure.systemError(errno, doing: "open \(path)") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else {
      throw failure.systemError(errno, doing: "make \(path) durable")
    }
  }

  /// Creates an empty file (0600) and makes its name durable.
  ///
  /// SQLite would create it with the process's umask, which threads share. So it is made under a name that nobody
  /// knows, closed, and only then named: whoever opens it by its name meets no descriptor of ours that could be closed
  /// later.
  ///
  /// - Returns: whether the file is new.
  static func create(_ path: String, _ failure: CatalogFailure) throws(JobError) -> Bool {
    let unnamed = "\(path).new-\(String(UInt64.random(in: .min ... .max), radix: 16))"
    let descriptor = open(unnamed, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw failure.systemError(errno, doing: "create \(path)") }
    close(descriptor)
    let code = name(unnamed, path)
    guard code == 0 else {
      unlink(unnamed)
      guard code == EEXIST else { throw failure.systemError(code, doing: "create \(path)") }
      return false
    }
    try syncDirectory(path.pathParts.directory, failure)
    return true
  }

  /// Gives a file another name, unless that is taken; returns 0 or the error's number.
  private static func name(_ old: String, _ new: String) -> CInt {
    let onlyIfFree = CUnsignedInt(snapjob_RENAME_NOREPLACE)
    if renameat2(AT_FDCWD, old, AT_FDCWD, new, onlyIfFree) == 0 { return 0 }
    guard errno == EINVAL || errno == ENOSYS else { return errno }
    // A filesystem that cannot do that in one step: for a moment the file has both names.
    guard link(old, new) == 0 else { return errno }
    unlink(old)
    return 0
  }

  private func createIfMissing() throws(JobError) {
    var status = stat()
    if stat(path, &status) != 0, errno == ENOENT { _ = try Self.create(path, failure) }
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
    let directory = path.pathParts.directory
    guard faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0,
      faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0
    else { throw failure.readOnly }
  }
}
