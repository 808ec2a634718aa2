import FileNames
import Glibc
import SystemPackage

/// The file system of this machine.
public struct PosixFileAccess: FileAccess {
  /// Makes one; it has no state.
  public init() {}

  /// Opens a regular file or a block device.
  public func open(_ path: String, _ mode: FileMode) throws(Qcow2Error) -> any ImageFile {
    try PosixFile(opening: path, mode)
  }

  /// Creates a regular file, mode 0666 less the umask.
  public func create(_ path: String) throws(Qcow2Error) -> any ImageFile {
    try PosixFile(creating: path)
  }

  /// Unlinks a path.
  public func remove(_ path: String) throws(Qcow2Error) {
    guard unlink(path) == 0 else {
      throw .system(Errno(rawValue: errno), cannot: "remove it", path: path)
    }
  }

  /// Waits until the directory that contains a path is on stable storage.
  public func synchronizeDirectory(of path: String) throws(Qcow2Error) {
    let parent = FilePath(path).removingLastComponent()
    let directory = parent.isEmpty ? "." : parent.string
    let number = FileNames.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else {
      throw .system(Errno(rawValue: errno), cannot: "open it", path: directory)
    }
    defer { close(number) }
    guard fsync(number) == 0 else {
      throw .system(Errno(rawValue: errno), cannot: "make it durable", path: directory)
    }
  }
}
