import FileNames
private import Glibc
internal import Jobs
internal import Qcow2
internal import SystemPackage

/// A file (0600) that comes into being under its name at once and whole, or not at all.
///
/// While it is written it has no name where the filesystem can do that, so that nothing is left of it however the
/// process ends; elsewhere, and for the moment in which it takes an older file's place, it has a hidden name beside
/// the one that it will have.
final class NewFile: StateOutput {
  /// `O_TMPFILE` of <fcntl.h>, which Swift cannot import because it is a macro of macros.
  private static let unnamed = 0o20_000_000 | O_DIRECTORY

  /// The path that it will have.
  let path: String
  private let descriptor: CInt
  /// The name that it has until then; empty for none.
  private let hiddenPath: String

  /// Makes an empty file without a name of its own.
  ///
  /// - Parameter path: absolute; what is there now stays until ``publish()``.
  /// - Throws: `JobError` with QEMU's text if nothing can be written there; as ``Replaceable/check(_:)`` if what is
  ///   there must not be replaced.
  init(for path: String) throws(JobError) {
    self.path = path
    let parts = FilePath(path)
    let directory = parts.removingLastComponent().string
    guard parts.lastComponent != nil, path.utf8.last != UInt8(ascii: "/") else {
      throw Self.failure(.isDirectory, path)
    }
    try Replaceable.check(path)
    var descriptor = open(directory, O_RDWR | O_CLOEXEC | Self.unnamed, 0o600)
    var hiddenPath = ""
    if descriptor < 0, [EOPNOTSUPP, EISDIR, EINVAL].contains(errno) {
      hiddenPath = Self.hiddenPath(beside: path)
      descriptor = open(
        hiddenPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }
    guard descriptor >= 0 else { throw Self.failure(Errno(rawValue: errno), path) }
    self.descriptor = descriptor
    self.hiddenPath = hiddenPath
  }

  /// What a path leads to: a symbolic link stays, and what it leads to is replaced.
  static func target(of path: String) -> String { realpath(path) ?? path }

  deinit {
    if !hiddenPath.isEmpty { unlink(hiddenPath) }
    close(descriptor)
  }

  /// A name beside another one that nobody uses.
  static func hiddenPath(beside path: String) -> String {
    let parts = FilePath(path)
    let name = ".\(parts.lastComponent?.string ?? "").snapjob-\(CommitID().description.prefix(8))"
    return parts.removingLastComponent().appending(name).string
  }

  /// Appends bytes.
  func write(_ bytes: RawSpan) throws(JobError) { try append(bytes, to: descriptor, path) }

  /// Makes the content durable.
  func synchronize() throws(JobError) {
    guard fsync(descriptor) == 0 else {
      throw JobError(.system(Errno(rawValue: errno), cannot: "make it durable", path: path))
    }
  }

  /// Gives the file its name, durably; what had it is gone then.
  ///
  /// - Throws: `JobError`; what had the name still has it, or the file has it and may lose it with the power.
  func publish() throws(JobError) {
    // Somebody may have put something of value there meanwhile.
    try Replaceable.check(path)
    var source = hiddenPath
    if source.isEmpty {
      // Nothing can take the place of a file in one step but a file with a name.
      source = Self.hiddenPath(beside: path)
      guard
        linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, source, AT_SYMLINK_FOLLOW) == 0
      else { throw Self.failure(Errno(rawValue: errno), path) }
    }
    guard rename(source, path) == 0 else {
      let cause = Errno(rawValue: errno)
      unlink(source)
      throw Self.failure(cause, path)
    }
    do throws(Qcow2Error) {
      try PosixFileAccess().synchronizeDirectory(of: path)
    } catch {
      throw JobError(error)
    }
  }

  /// A file that cannot be written, with the kind that the cause has.
  static func failure(_ cause: Errno, _ path: String) -> JobError {
    let kind = JobError(.system(cause, cannot: "create it", path: path)).kind
    return .cannotOpen(path, cause, kind)
  }
}

/// Writes all bytes at the end of an open file.
func append(_ bytes: RawSpan, to descriptor: CInt, _ path: String) throws(JobError) {
  var done = 0
  while done < bytes.byteCount {
    let count = bytes.withUnsafeBytes { buffer in
      Glibc.write(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
    }
    guard count >= 0 || errno == EINTR else {
      throw JobError(.system(Errno(rawValue: errno), cannot: "write to it", path: path))
    }
    done += max(0, count)
  }
}
