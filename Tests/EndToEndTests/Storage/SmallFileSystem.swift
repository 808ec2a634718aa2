import Glibc
import TestOracles

/// A file system in memory with little room; it goes with the last reference.
final class SmallFileSystem: Sendable {
  /// Where it is mounted.
  let path: String
  private let directory: TemporaryDirectory

  /// Whether one can be mounted here.
  static let isPossible = geteuid() == 0 && (try? SmallFileSystem(size: 1 << 20)) != nil

  /// Mounts one.
  ///
  /// - Parameter size: in bytes.
  /// - Throws: what `mount` said.
  init(size: Int) throws {
    directory = try TemporaryDirectory()
    path = directory.path
    try Command.run("mount", ["-t", "tmpfs", "-o", "size=\(size)", "tmpfs", path])
  }

  deinit { _ = try? Command.attempt("umount", [path]) }
}
