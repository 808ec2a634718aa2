import CLinux
public import Glibc
public import SystemPackage

// The system's calls that take a path, for paths as text. An argument that is a `String` chooses them over Glibc's own,
// which would take the text's bytes for the name. A test sees that every file which makes such a call imports this
// module.

/// `open(2)`; `mode` counts where the flags make a file.
public func open(_ path: String, _ flags: CInt, _ mode: CUnsignedInt = 0) -> CInt {
  path.withFileName { Glibc.open($0, flags, mode) }
}

/// `fopen(3)`.
public func fopen(_ path: String, _ mode: String) -> UnsafeMutablePointer<FILE>? {
  path.withFileName { Glibc.fopen($0, mode) }
}

/// `opendir(3)`.
public func opendir(_ path: String) -> OpaquePointer? {
  path.withFileName { Glibc.opendir($0) }
}

/// `stat(2)`: of what the path leads to.
public func stat(_ path: String, _ status: UnsafeMutablePointer<stat>) -> CInt {
  path.withFileName { stat($0, status) }
}

/// `lstat(2)`: of a symbolic link itself.
public func lstat(_ path: String, _ status: UnsafeMutablePointer<stat>) -> CInt {
  path.withFileName { Glibc.lstat($0, status) }
}

/// `statvfs(3)`.
public func statvfs(_ path: String, _ space: UnsafeMutablePointer<statvfs>) -> CInt {
  path.withFileName { statvfs($0, space) }
}

/// `access(2)`.
public func access(_ path: String, _ mode: CInt) -> CInt {
  path.withFileName { Glibc.access($0, mode) }
}

/// `faccessat(2)`.
public func faccessat(_ directory: CInt, _ path: String, _ mode: CInt, _ flags: CInt) -> CInt {
  path.withFileName { Glibc.faccessat(directory, $0, mode, flags) }
}

/// `mkdir(2)`.
public func mkdir(_ path: String, _ mode: CUnsignedInt) -> CInt {
  path.withFileName { Glibc.mkdir($0, mode) }
}

/// `unlink(2)`.
@discardableResult
public func unlink(_ path: String) -> CInt {
  path.withFileName { Glibc.unlink($0) }
}

/// `rename(2)`.
public func rename(_ old: String, _ new: String) -> CInt {
  old.withFileName { old in new.withFileName { Glibc.rename(old, $0) } }
}

/// `renameat2(2)`.
public func renameat2(
  _ oldDirectory: CInt, _ old: String, _ newDirectory: CInt, _ new: String, _ flags: CUnsignedInt
) -> CInt {
  old.withFileName { old in
    new.withFileName { renameat2(oldDirectory, old, newDirectory, $0, flags) }
  }
}

/// `link(2)`.
public func link(_ old: String, _ new: String) -> CInt {
  old.withFileName { old in new.withFileName { Glibc.link(old, $0) } }
}

/// `linkat(2)`.
public func linkat(
  _ oldDirectory: CInt, _ old: String, _ newDirectory: CInt, _ new: String, _ flags: CInt
) -> CInt {
  old.withFileName { old in
    new.withFileName { Glibc.linkat(oldDirectory, old, newDirectory, $0, flags) }
  }
}

/// `realpath(3)`; nil where it fails, with the reason in `errno`.
public func realpath(_ path: String) -> String? {
  guard let name = path.withFileName({ Glibc.realpath($0, nil) }) else { return nil }
  defer { free(name) }
  return String(fileName: name)
}

/// `getcwd(3)`; nil where it fails, with the reason in `errno`, and where the directory is out of this process's reach.
public func getcwd() -> String? {
  guard let name = Glibc.getcwd(nil, 0) else { return nil }
  defer { free(name) }
  let directory = String(fileName: name)
  guard directory.isAbsolutePath else {
    errno = ENOENT
    return nil
  }
  return directory
}

extension FilePath {
  /// The path that the text stands for, for swift-system's own calls.
  public init(fileName path: String) {
    self = path.withFileName { FilePath(platformString: $0) }
  }
}
