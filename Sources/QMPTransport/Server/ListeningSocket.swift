import FileNames
import Glibc
import QMP

/// A UNIX socket that nobody but its owner can reach, from the first moment on.
struct ListeningSocket: Sendable {
  /// The socket; it belongs to whoever takes it.
  let descriptor: CInt
  /// Where it is.
  let path: String

  /// Connections that may wait to be accepted.
  private static let backlog: CInt = 256

  /// Listens at a path.
  ///
  /// The socket has mode 0600 before it has a name. What a server that is gone has left there is
  /// replaced in one step.
  ///
  /// - Parameter path: at most 107 bytes, the kernel's limit.
  /// - Throws: `QMPError`: kind `inUse` if another server listens there, `conflict` if something else
  ///   has that name, `permission`, `usage` for a path that is too long.
  init(path: String) throws(QMPError) {
    try Self.checkVacant(path)
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .socket(errno, "make a socket", path) }
    // Taken over by the name that bind gives it; the process's umask can only narrow it.
    let temporary = "\(path).\(getpid())"
    do throws(QMPError) {
      guard fchmod(descriptor, 0o600) == 0 else { throw .socket(errno, "protect the socket", path) }
      _ = unlink(temporary)
      let address = try UNIXAddress(temporary)
      guard address.withPointer({ bind(descriptor, $0, $1) }) == 0 else {
        throw .socket(errno, "make the socket", path)
      }
      guard listen(descriptor, Self.backlog) == 0, rename(temporary, path) == 0 else {
        let cause = errno
        _ = unlink(temporary)
        throw .socket(cause, "listen", path)
      }
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    self.descriptor = descriptor
    self.path = path
  }

  /// Takes the name away.
  func remove() { _ = unlink(path) }

  /// Whether nobody listens there, and nothing but an old socket has the name.
  private static func checkVacant(_ path: String) throws(QMPError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw QMPError(
        .genericError, "\(path) is no socket. Choose another path, or remove it",
        kind: "conflict")
    }
    let probe = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { throw .socket(errno, "make a socket", path) }
    defer { Glibc.close(probe) }
    let address = try UNIXAddress(path)
    guard address.withPointer({ connect(probe, $0, $1) }) == 0 else { return }
    throw QMPError(
      .genericError, "\(path): another server listens there. Stop it, or choose another path",
      kind: "inUse")
  }
}

/// The address of a UNIX socket.
struct UNIXAddress {
  /// As the system takes it.
  private(set) var system = sockaddr_un()

  /// - Throws: `QMPError` (usage) for a path that the kernel has no room for.
  init(_ path: String) throws(QMPError) {
    system.sun_family = sa_family_t(AF_UNIX)
    let bytes = path.fileNameBytes
    let room = MemoryLayout.size(ofValue: system.sun_path) - 1
    guard !bytes.isEmpty, bytes.count <= room else {
      throw QMPError(
        .genericError,
        "\(path): the path of a socket has 1 to \(room) bytes. Choose a shorter one", kind: "usage")
    }
    withUnsafeMutableBytes(of: &system.sun_path) { $0.copyBytes(from: bytes) }
  }

  /// Hands the address to a system call.
  func withPointer(_ call: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
    withUnsafePointer(to: system) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        call($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}

extension QMPError {
  /// A system call about a socket failed.
  static func socket(_ cause: CInt, _ action: String, _ path: String) -> QMPError {
    let kind =
      switch cause {
      case EACCES, EPERM, EROFS: "permission"
      case ENOENT, ENOTDIR: "notFound"
      case ENOSPC, EDQUOT: "noSpace"
      default: "general"
      }
    return QMPError(
      .genericError, "\(path): cannot \(action): \(String(cString: strerror(cause)))", kind: kind)
  }
}
