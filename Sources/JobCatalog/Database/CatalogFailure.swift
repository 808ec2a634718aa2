import FileNames
import Foundation
import GRDB
import Glibc
import Jobs

/// Says in snapjob's terms what went wrong with one catalog: the only place where SQLite's result
/// codes are read.
struct CatalogFailure: Sendable {
  /// The catalog's path, which every sentence names.
  let path: String
  /// How long a locked catalog was waited for.
  let busyTimeout: Duration

  /// Less room than this on the catalog's disk explains an I/O error: SQLite reports a full disk
  /// as such only where a write failed, not where its shared memory could not grow.
  static let fullDiskByteCount: UInt64 = 1 << 20

  /// Any error met while the catalog was used.
  func jobError(for error: any Error) -> JobError {
    switch error {
    case let error as JobError: error
    case let error as DatabaseError: jobError(for: error)
    case let error as MalformedRow: unusable("holds bad content (\(error))", Self.restore)
    default: unusable("holds bad content (\(error))", Self.restore)
    }
  }

  /// A failure of kind `catalog`.
  ///
  /// - Parameters:
  ///   - cause: what is wrong, as the rest of a sentence that begins with the catalog.
  ///   - step: what to do.
  /// - Returns: the failure.
  func unusable(_ cause: String, _ step: String) -> JobError {
    JobError(.catalog, "Catalog \(path) \(cause). \(step)")
  }

  /// A failed system call on the catalog's file or directory.
  func systemError(_ errno: CInt, doing what: String) -> JobError {
    let cause = String(cString: strerror(errno))
    return switch errno {
    case EACCES, EPERM:
      JobError(.permission, "Catalog \(path): no permission to \(what) (\(cause)). \(Self.another)")
    case ENOSPC, EDQUOT: noSpace
    case EROFS: readOnly
    default: unusable("is out of reach: cannot \(what) (\(cause))", Self.another)
    }
  }

  /// The catalog is another user's.
  ///
  /// - Parameters:
  ///   - what: what of it, up to the verb.
  ///   - owner: the user's name or number.
  /// - Returns: the failure.
  func foreign(_ what: String, _ owner: String) -> JobError {
    JobError(
      .permission,
      "Catalog \(path): \(what) user \(owner), who could not use it any more after another user has. Run the "
        + "command as that user, or choose another catalog with --catalog PATH")
  }

  /// The catalog can be read but not written.
  var readOnly: JobError {
    unusable(
      "is read-only",
      "Make the file and its directory writable for this user, or choose another with "
        + "--catalog PATH")
  }

  /// The disk is full.
  var noSpace: JobError {
    JobError(
      .noSpace,
      "Catalog \(path): no space left on its disk. Free some, then repeat the command")
  }

  static let another = "Choose another with --catalog PATH"
  static let restore =
    "Put a backup of it in its place. Where there is none, move the file away, and "
    + "keep it: snapjob then starts an empty catalog; the images keep their snapshots. But an image that "
    + "qemu-img info refuses with \"snapjob commit pending\" needs this catalog to come to its new state"

  private func jobError(for error: DatabaseError) -> JobError {
    let text = error.message ?? "\(error.resultCode)"
    switch error.resultCode {
    case .SQLITE_FULL:
      return noSpace
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      return JobError(
        .inUse,
        "Catalog \(path) is locked by another program for more than \(seconds) s. Try again when that "
          + "program has ended; fuser \(path) names it")
    case .SQLITE_NOTADB:
      return unusable("is not a database (\(text))", Self.restore)
    case .SQLITE_CORRUPT, .SQLITE_FORMAT:
      return unusable("is corrupt (\(text))", Self.restore)
    case .SQLITE_READONLY:
      return readOnly
    case .SQLITE_PERM, .SQLITE_AUTH:
      return JobError(.permission, "Catalog \(path): no permission (\(text)). \(Self.another)")
    case .SQLITE_IOERR, .SQLITE_CANTOPEN:
      return isDiskFull
        ? noSpace
        : unusable(
          "cannot be read or written (\(text), SQLite code \(error.extendedResultCode.rawValue))",
          "Look at the disk it is on, or choose another with --catalog PATH")
    default:
      return unusable(
        "refused an operation (\(text), SQLite code \(error.extendedResultCode.rawValue))",
        "To examine it: \(NextStep("catalog", "check"))")
    }
  }

  /// The time waited in seconds, without a fraction where there is none.
  private var seconds: String {
    let parts = busyTimeout.components
    let tenths = parts.attoseconds / 100_000_000_000_000_000
    return tenths == 0 ? "\(parts.seconds)" : "\(parts.seconds).\(tenths)"
  }

  private var isDiskFull: Bool {
    var space = statvfs()
    guard statvfs(path, &space) == 0 else { return false }
    let (free, overflow) = UInt64(space.f_bavail).multipliedReportingOverflow(
      by: UInt64(space.f_frsize))
    return !overflow && free < Self.fullDiskByteCount
  }
}
