import FileNames
private import Glibc
internal import Jobs
internal import Qcow2
private import SystemPackage

/// A device state while it is written into a file beside the catalog, where it waits for the next save.
///
/// The file is locked meanwhile, so that nobody takes it for one that a process has left.
final class StagedStateWriter: Sendable {
  /// The file's name, as it is noted.
  let name: String
  /// The file.
  let path: String
  private let directory: String
  private let descriptor: CInt

  /// Makes an empty file (0600), and its directory (0700) if that is missing.
  init(in directory: String) throws(JobError) {
    guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
      throw Self.failure("create it", directory)
    }
    while true {
      let name = "\(CommitID()).state"
      let path = "\(directory)/\(name)"
      let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard descriptor >= 0 else { throw Self.failure("create it", path) }
      // Another process may have taken it for a leftover before the lock was there.
      var status = stat()
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &status) == 0,
        status.st_nlink == 1
      {
        self.name = name
        self.path = path
        self.directory = directory
        self.descriptor = descriptor
        return
      }
      close(descriptor)
    }
  }

  deinit { close(descriptor) }

  /// Appends bytes.
  func write(_ bytes: RawSpan) throws(JobError) { try append(bytes, to: descriptor, path) }

  /// Makes the file durable, its name included.
  func synchronize() throws(JobError) {
    guard fsync(descriptor) == 0 else { throw Self.failure("make it durable", path) }
    for place in [path, directory] {
      do throws(Qcow2Error) {
        try PosixFileAccess().synchronizeDirectory(of: place)
      } catch {
        throw JobError(error)
      }
    }
  }

  /// Removes the file.
  func discard() { unlink(path) }

  private static func failure(_ action: String, _ path: String) -> JobError {
    JobError(.system(Errno(rawValue: errno), cannot: action, path: path))
  }
}

/// The files of device states that wait.
public enum StagedStates {
  /// Notes what the files of images look like after snapjob's own writes. Where that fails the state counts as out
  /// of date, no more.
  static func note(_ stamps: [StagedStateStamp], in log: any CommitLog) {
    if !stamps.isEmpty { try? log.note(stamps) }
  }

  /// Removes the files that processes have left which ended before their commit, and those that no image goes
  /// with any more.
  ///
  /// - Parameters:
  ///   - directory: the catalog's ``CommitLog/stagedStateDirectory``.
  ///   - isNoted: whether the catalog has a note of a file; asked while the file is locked.
  /// - Throws: what `isNoted` throws; some files may have been removed.
  public static func removeLeftovers<Failure: Error>(
    in directory: String, except isNoted: (String) throws(Failure) -> Bool
  ) throws(Failure) {
    guard let stream = opendir(directory) else { return }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard name.hasSuffix(".state") else { continue }
      let path = "\(directory)/\(name)"
      let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { continue }
      if try !isNoted(name) { unlink(path) }
    }
  }
}
