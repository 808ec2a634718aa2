import Glibc

/// An exclusive lock on a whole file that lasts as long as its owner: a lock of an open file
/// description, which the kernel lets go however the process ends.
final class OpenFileLock: Sendable {
  /// `F_OFD_GETLK` and `F_OFD_SETLK` of fcntl(2), which Swift's Glibc does not name.
  private static let ofdGetLock: CInt = 36
  private static let ofdSetLock: CInt = 37

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
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { return .failed(errno: errno) }
    var lock = wholeFile()
    guard fcntl(descriptor, ofdSetLock, &lock) == 0 else {
      let code = errno
      close(descriptor)
      return code == EAGAIN || code == EACCES ? .held : .failed(errno: code)
    }
    return .locked(OpenFileLock(descriptor: descriptor))
  }

  /// Lets go of the lock before its owner goes.
  func release() {
    var lock = Self.wholeFile(F_UNLCK)
    _ = fcntl(descriptor, Self.ofdSetLock, &lock)
  }

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
    var lock = wholeFile()
    guard fcntl(descriptor, ofdGetLock, &lock) == 0 else { return nil }
    return lock.l_type != Int16(F_UNLCK)
  }

  private static func wholeFile(_ type: CInt = F_WRLCK) -> flock {
    flock(
      l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0,
      // The kernel insists on 0 here for this kind of lock.
      l_pid: 0)
  }
}
