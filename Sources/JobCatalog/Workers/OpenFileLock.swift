import FileNames
import Glibc

/// Locks on single bytes of a file that last as long as their owner: locks of an open file description, which the
/// kernel lets go however the process ends.
///
/// The first byte says that the owner lives. A worker locks further ones for what it is at.
final class OpenFileLock: Sendable {
  /// `F_OFD_GETLK` and `F_OFD_SETLK` of fcntl(2), which Swift's Glibc does not name.
  private static let ofdGetLock: CInt = 36
  private static let ofdSetLock: CInt = 37
  /// The byte that says that the owner lives.
  private static let lifeByte: Int64 = 0

  private let descriptor: CInt

  private init(descriptor: CInt) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// What became of an attempt to lock.
  enum Outcome {
    /// Locked for as long as the value is kept.
    case locked(OpenFileLock)
    /// Another open file description has it.
    case held
    /// A system call failed.
    case failed(errno: CInt)
  }

  /// Opens a file, creating it (0600) if it is missing, and locks it without waiting.
  static func acquire(_ path: String) -> Outcome {
    outcome(
      open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600), F_WRLCK, byte: lifeByte)
  }

  /// Opens an existing file and locks one byte beside others who do the same; excludes who has it for itself.
  static func share(_ path: String, byte: Int64) -> Outcome {
    outcome(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), F_RDLCK, byte: byte)
  }

  private static func outcome(_ descriptor: CInt, _ type: CInt, byte: Int64) -> Outcome {
    guard descriptor >= 0 else { return .failed(errno: errno) }
    let result = OpenFileLock(descriptor: descriptor)
    let code = result.set(type, byte: byte)
    if code == 0 { return .locked(result) }
    return code == EAGAIN || code == EACCES ? .held : .failed(errno: code)
  }

  /// Locks one more byte for itself; false if that cannot be done.
  func lock(byte: Int64) -> Bool { set(F_WRLCK, byte: byte) == 0 }

  /// Lets go of a byte.
  func unlock(byte: Int64) { _ = set(F_UNLCK, byte: byte) }

  /// Lets go of the lock before its owner goes.
  func release() { unlock(byte: Self.lifeByte) }

  /// Replaces what the file says; what goes wrong is not told, for the lock counts and not the words.
  func write(_ text: String) {
    let bytes = Array(text.utf8)
    guard ftruncate(descriptor, 0) == 0 else { return }
    _ = pwrite(descriptor, bytes, bytes.count, 0)
  }

  /// What a lock's file says, at most a line's worth; empty if it cannot be read.
  static func text(in path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = pread(descriptor, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
  }

  /// Whether somebody holds the lock of a file; nil if that cannot be found out.
  static func isHeld(_ path: String) -> Bool? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return errno == ENOENT ? false : nil }
    defer { close(descriptor) }
    var lock = range(F_WRLCK, byte: lifeByte)
    guard fcntl(descriptor, ofdGetLock, &lock) == 0 else { return nil }
    return lock.l_type != Int16(F_UNLCK)
  }

  /// Sets a lock without waiting; returns the error's number, 0 for none.
  private func set(_ type: CInt, byte: Int64) -> CInt {
    var lock = Self.range(type, byte: byte)
    return fcntl(descriptor, Self.ofdSetLock, &lock) == 0 ? 0 : errno
  }

  private static func range(_ type: CInt, byte: Int64) -> flock {
    flock(
      l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: off_t(byte), l_len: 1,
      // The kernel insists on 0 here for this kind of lock.
      l_pid: 0)
  }
}
