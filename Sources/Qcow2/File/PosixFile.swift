import CLinux
import FileNames
import Glibc
public import SystemPackage

/// A regular file or a block device, through the kernel.
///
/// The file is closed, and its locks with it, when the last reference goes.
public final class PosixFile: ImageFile {
  /// The path as it was opened.
  public let path: String
  /// Whether it was opened for writing.
  public let isWritable: Bool
  /// Whether it is a block device.
  public let isBlockDevice: Bool
  /// Device and inode, or the device number of a block device.
  public let identity: FileIdentity
  private let openDescriptor: FileDescriptor

  /// The open descriptor, which belongs to this object.
  public var descriptor: FileDescriptor? { openDescriptor }

  /// `BLKGETSIZE64` of <linux/fs.h>, which Swift cannot import because it is a macro of macros.
  private static let blockDeviceSizeRequest: UInt = 0x8008_1272

  /// Opens an existing file.
  ///
  /// A FIFO or a device that would make opening it wait, or that does something on being opened, is
  /// recognised before it is opened.
  ///
  /// - Parameters:
  ///   - path: symbolic links are followed.
  ///   - mode: what it will be used for.
  /// - Throws: ``Qcow2Error`` (notFound, permission, wrongFileType, io).
  public convenience init(opening path: String, _ mode: FileMode) throws(Qcow2Error) {
    let action = mode == .read ? "open it" : "open it for writing"
    let status: Stat
    do {
      status = try FilePath(fileName: path).stat()
    } catch {
      throw .system(error, cannot: action, path: path)
    }
    try Self.checkType(status.type, path: path)
    let descriptor = try Self.open(
      path, (mode == .read ? O_RDONLY : O_RDWR) | O_NONBLOCK, action: action)
    try self.init(adopting: descriptor, path: path, isWritable: mode == .readWrite)
  }

  /// Creates an empty file (mode 0666 less the umask) and opens it for writing.
  ///
  /// - Throws: ``Qcow2Error`` (conflict if something has that path already; notFound, permission,
  ///   noSpace, io).
  public convenience init(creating path: String) throws(Qcow2Error) {
    let descriptor = try Self.open(path, O_RDWR | O_CREAT | O_EXCL, action: "create it")
    try self.init(adopting: descriptor, path: path, isWritable: true)
  }

  /// Takes over an open descriptor; it is closed if this throws.
  private init(
    adopting descriptor: FileDescriptor, path: String, isWritable: Bool
  ) throws(Qcow2Error) {
    let status: Stat
    do throws(Qcow2Error) {
      status = try Self.status(of: descriptor, path: path)
      try Self.checkType(status.type, path: path)
    } catch {
      Glibc.close(descriptor.rawValue)
      throw error
    }
    self.path = path
    self.isWritable = isWritable
    openDescriptor = descriptor
    isBlockDevice = status.type == .blockSpecial
    identity = FileIdentity(status)
  }

  deinit { Glibc.close(openDescriptor.rawValue) }

  /// Its length now, in bytes; asked of the kernel each time, as others may change it.
  public func length() throws(Qcow2Error) -> Int64 {
    guard isBlockDevice else { return try status().size }
    var byteCount: UInt64 = 0
    _ = try retrying("find its size") {
      withUnsafeMutablePointer(to: &byteCount) {
        Int(ioctl(openDescriptor.rawValue, Self.blockDeviceSizeRequest, $0))
      }
    }
    return Int64(clamping: byteCount)
  }

  /// Its length and time of modification now.
  public func stamp() throws(Qcow2Error) -> FileStamp {
    let status = try status()
    return FileStamp(
      length: isBlockDevice ? try length() : status.size,
      modified: Self.nanoseconds(status.rawValue.st_mtim))
  }

  /// Whether a range may have other bytes than zeros.
  public func hasData(at offset: Int64, byteCount: Int) -> Bool {
    let next = lseek(openDescriptor.rawValue, off_t(offset), CInt(snapjob_SEEK_DATA))
    // None up to the end is ENXIO; any other error says nothing.
    return next < 0 ? errno != ENXIO : next < offset + Int64(byteCount)
  }

  /// The bytes that it occupies now; all of them on a block device.
  public func allocatedByteCount() throws(Qcow2Error) -> Int64 {
    isBlockDevice ? try length() : try status().sizeAllocated
  }

  /// Reads from an offset until the buffer is full or the file ends.
  public func readAvailable(
    into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
  ) throws(Qcow2Error) -> Int {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = try retrying("read", at: offset + Int64(done)) {
        pread(openDescriptor.rawValue, rest.baseAddress, rest.count, off_t(offset) + done)
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// Writes all bytes at an offset; if it throws, any part of them may have been written.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(Qcow2Error) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      done += try retrying("write", at: offset + Int64(done)) {
        pwrite(openDescriptor.rawValue, rest.baseAddress, rest.count, off_t(offset) + done)
      }
    }
  }

  /// Waits for `fsync`.
  ///
  /// An error is reported once and never retried: the pages that could not be written are lost.
  public func synchronize() throws(Qcow2Error) {
    // Not fdatasync: the length and the blocks that a sparse file got are part of what must be durable on
    // every filesystem.
    _ = try retrying("make it durable") { Int(fsync(openDescriptor.rawValue)) }
  }

  /// Cuts the file, or lets it grow by zeros, to a length in bytes.
  public func setLength(_ length: Int64) throws(Qcow2Error) {
    _ = try retrying("change its length", at: length) {
      Int(ftruncate(openDescriptor.rawValue, off_t(length)))
    }
  }

  /// Filesystems on which a block that is there may have to be written somewhere else, by `f_type` of statfs(2):
  /// btrfs, XFS (with reflinks), ZFS, bcachefs.
  private static let copyOnWriteTypes: Set<Int> = [
    0x9123_683e, 0x5846_5342, 0x2fc1_2fc1, 0xca45_1a4e,
  ]
  /// So much is enough for the metadata that go with a rewritten sector.
  private static let rewriteByteCount: UInt64 = 256 << 10

  /// Whether the filesystem has room for writing a few blocks over ones that are there.
  public func hasRoomForRewrite() throws(Qcow2Error) -> Bool {
    guard !isBlockDevice else { return true }
    var type = 0
    var available: UInt64 = 0
    _ = try retrying("look at its filesystem") {
      Int(snapjob_filesystem(openDescriptor.rawValue, &type, &available))
    }
    return !Self.copyOnWriteTypes.contains(type) || available >= Self.rewriteByteCount
  }

  /// Gives the space of a range back; false if the storage cannot do that.
  public func punchHole(at offset: Int64, length: Int64) throws(Qcow2Error) -> Bool {
    do throws(Qcow2Error) {
      _ = try retrying("give space back", at: offset) {
        Int(
          fallocate(
            openDescriptor.rawValue,
            CInt(snapjob_FALLOC_FL_PUNCH_HOLE | snapjob_FALLOC_FL_KEEP_SIZE),
            off_t(offset), off_t(length)))
      }
      return true
    } catch {
      switch error.cause {
      case Errno.notSupported, Errno.notSupportedOnSocket, Errno.noFunction: return false
      default: throw error
      }
    }
  }
}

extension PosixFile {
  /// Runs a system call until a signal no longer interrupts it.
  private func retrying(
    _ action: String, at offset: Int64? = nil, _ call: () -> Int
  ) throws(Qcow2Error) -> Int {
    while true {
      let result = call()
      if result >= 0 { return result }
      let cause = Errno(rawValue: errno)
      if cause == .interrupted { continue }
      throw .system(
        cause, cannot: action, path: path, at: offset.map { UInt64(clamping: $0) })
    }
  }

  private func status() throws(Qcow2Error) -> Stat {
    try Self.status(of: openDescriptor, path: path)
  }

  private static func status(
    of descriptor: FileDescriptor, path: String
  ) throws(Qcow2Error) -> Stat {
    do {
      return try descriptor.stat()
    } catch {
      throw .system(error, cannot: "look at it", path: path)
    }
  }

  private static func open(
    _ path: String, _ flags: CInt, action: String
  ) throws(Qcow2Error) -> FileDescriptor {
    while true {
      let number = FileNames.open(path, flags | O_CLOEXEC, 0o666)
      if number >= 0 { return FileDescriptor(rawValue: number) }
      let cause = Errno(rawValue: errno)
      if cause == .interrupted { continue }
      throw .system(cause, cannot: action, path: path)
    }
  }

  private static func checkType(_ type: FileType, path: String) throws(Qcow2Error) {
    let name =
      switch type {
      case .regular, .blockSpecial: String?.none
      case .directory: "a directory"
      case .fifo: "a FIFO"
      case .socket: "a socket"
      case .characterSpecial: "a character device"
      default: "a special file"
      }
    guard let name else { return }
    throw Qcow2Error(
      .wrongFileType, "is \(name). Name a regular file or a block device", path: path)
  }

  private static func nanoseconds(_ time: timespec) -> Int64 {
    let (seconds, overflow) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : seconds &+ Int64(time.tv_nsec)
  }
}
