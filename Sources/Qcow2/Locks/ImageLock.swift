import Glibc
import SystemPackage

/// The right to use an image, kept against QEMU's programs and other snapjobs by QEMU's own locks.
///
/// The locks belong to the file's open descriptor: opening the file a second time does not share
/// them, not even within one process. They go when ``release()`` is called, when the last reference
/// goes, or when the process ends in whatever way.
public final class ImageLock: Sendable {
  /// What the image is used for.
  public enum Mode: Sendable, Hashable {
    /// Changing it. Excludes everybody but those who only peek.
    case write
    /// Reading what must not change meanwhile. Excludes writers.
    case read
    /// Reading what may change meanwhile, as `qemu-img --force-share` does. Excludes nobody.
    case peek
  }

  /// `F_OFD_GETLK` and `F_OFD_SETLK` of <fcntl.h>, which Swift's Glibc module lacks.
  private static let openFileGetLock: CInt = 36
  private static let openFileSetLock: CInt = 37

  /// What the image may be used for.
  public let mode: Mode
  private let file: any ImageFile

  private init(_ mode: Mode, _ file: any ImageFile) {
    self.mode = mode
    self.file = file
  }

  deinit { release() }

  /// Locks an open image; blocks the calling thread while it waits.
  ///
  /// - Parameters:
  ///   - mode: what for.
  ///   - file: opened for reading at least; no other lock may be held through it. A file without a
  ///     descriptor can't be reached by others and is locked at once.
  ///   - patience: how long to go on trying while somebody else holds it. Zero: an error at once,
  ///     apart from one second look a moment later, since two who try in the same moment see
  ///     each other and both step back.
  ///   - notice: called once, before the first wait, with who holds it.
  ///   - isCancelled: asked about ten times a second while waiting; true ends the wait.
  /// - Returns: the lock.
  /// - Throws: ``Qcow2Error`` (inUse, with the holder; io if the filesystem cannot lock). Nothing is
  ///   locked then.
  public static func acquire(
    _ mode: Mode, on file: any ImageFile, patience: Duration = .zero,
    notice: (LockHolder) -> Void = { _ in }, isCancelled: () -> Bool = { false }
  ) throws(Qcow2Error) -> ImageLock {
    let lock = ImageLock(mode, file)
    guard let descriptor = file.descriptor else { return lock }
    guard try lock.conflict(descriptor) != nil else { return lock }
    pause(milliseconds: 5...25)
    guard var reason = try lock.conflict(descriptor) else { return lock }

    let deadline = ContinuousClock.now + patience
    if patience > .zero { notice(lock.holder()) }
    while ContinuousClock.now < deadline, !isCancelled() {
      pause(milliseconds: 50...100)
      guard let latest = try lock.conflict(descriptor) else { return lock }
      reason = latest
    }
    throw lock.inUse(by: lock.holder(), reason)
  }

  /// Gives the image free; does nothing the second time.
  public func release() {
    guard let descriptor = file.descriptor else { return }
    for byte in LockBytes(mode).held {
      // An unlock that fails leaves the locks to the closing of the file.
      _ = try? Self.setLock(CInt(F_UNLCK), byte, descriptor)
    }
  }

  /// Tries once: takes the locks, then looks for those of others that exclude them.
  ///
  /// - Returns: nil if it is locked now; otherwise QEMU's words for what is in the way, and nothing
  ///   is locked.
  private func conflict(_ descriptor: FileDescriptor) throws(Qcow2Error) -> String? {
    let bytes = LockBytes(mode)
    do throws(Errno) {
      for byte in bytes.held where try !Self.setLock(CInt(F_RDLCK), byte, descriptor) {
        release()
        return "Failed to lock byte \(byte)"
      }
      for check in bytes.checks where try Self.isHeldByOthers(check.byte, descriptor) {
        release()
        return check.reason
      }
      return nil
    } catch {
      release()
      throw Qcow2Error(
        .io, "cannot lock it: \(error). Use a filesystem that supports locks", path: file.path,
        cause: error)
    }
  }

  private func holder() -> LockHolder {
    LockHolder.find(ofBytes: LockBytes(mode).checks.map(\.byte), in: file)
  }

  private func inUse(by holder: LockHolder, _ reason: String) -> Qcow2Error {
    Qcow2Error(
      .inUse, "is in use by \(holder). Stop it, or try again when it is done (\(reason))",
      path: file.path, holder: holder)
  }

  /// Sets a shared lock on one byte, or takes it away.
  ///
  /// - Returns: false if somebody's exclusive lock is in the way.
  private static func setLock(
    _ type: CInt, _ byte: Int64, _ descriptor: FileDescriptor
  ) throws(Errno) -> Bool {
    do throws(Errno) {
      _ = try control(descriptor, openFileSetLock, type, byte)
      return true
    } catch .resourceTemporarilyUnavailable, .permissionDenied {
      return false
    }
  }

  /// Whether a lock of another descriptor lies on any byte of a file; false where that cannot be told.
  public static func isAnyHeld(on descriptor: CInt) -> Bool {
    let request = try? control(
      FileDescriptor(rawValue: descriptor), openFileGetLock, CInt(F_WRLCK), 0, byteCount: 0)
    return request.map { $0.l_type != Int16(F_UNLCK) } ?? false
  }

  /// Whether a lock of another descriptor lies on a byte.
  private static func isHeldByOthers(
    _ byte: Int64, _ descriptor: FileDescriptor
  ) throws(Errno) -> Bool {
    try control(descriptor, openFileGetLock, CInt(F_WRLCK), byte).l_type != Int16(F_UNLCK)
  }

  private static func control(
    _ descriptor: FileDescriptor, _ command: CInt, _ type: CInt, _ byte: Int64, byteCount: off_t = 1
  ) throws(Errno) -> flock {
    var request = flock()
    request.l_type = Int16(type)
    request.l_whence = Int16(SEEK_SET)
    request.l_start = off_t(byte)
    // None for all from there on.
    request.l_len = byteCount
    while true {
      let result = withUnsafeMutablePointer(to: &request) {
        fcntl(descriptor.rawValue, command, UnsafeMutableRawPointer($0))
      }
      if result == 0 { return request }
      let cause = Errno(rawValue: errno)
      if cause != .interrupted { throw cause }
    }
  }

  private static func pause(milliseconds: ClosedRange<UInt32>) {
    usleep(UInt32.random(in: milliseconds) * 1000)
  }
}
