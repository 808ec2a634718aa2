import FileNames
private import Glibc
internal import Jobs
internal import Qcow2
private import SystemPackage

/// What may give way to a device state: an older one, an empty file, or nothing.
enum Replaceable {
  /// What each stream begins with (``DeviceState``).
  private static let magic = [UInt8]("QEVM".utf8)

  /// - Parameter path: without symbolic links; nothing that this process holds locks on may be there.
  /// - Throws: `JobError`: a conflict for anything else, in use for a file that a program has locked as QEMU does, and
  ///   with QEMU's text if it cannot be looked at.
  static func check(_ path: String) throws(JobError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      guard lstat(path, &status) != 0 else {
        throw JobError(
          .conflict, "\(path) is a symbolic link that leads nowhere. Name another file")
      }
      return
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw NewFile.failure(.isDirectory, path)
    default: throw JobError(.conflict, "\(path) is no regular file, and is not replaced by one")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw NewFile.failure(Errno(rawValue: errno), path) }
    defer { close(descriptor) }
    var start = [UInt8](repeating: 0, count: magic.count)
    let count = pread(descriptor, &start, start.count, 0)
    guard count == 0 || start == magic else {
      throw JobError(
        .conflict,
        "\(path) is no device state, and is not replaced. Name another file, or remove it first")
    }
    guard !ImageLock.isAnyHeld(on: descriptor) else {
      throw JobError(
        .inUse, "\(path) is locked by another program, and is not replaced. Name another file")
    }
  }
}
