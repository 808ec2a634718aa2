import Glibc
import Qcow2
import TestOracles

/// A real block device that lies on a file; it goes with the last reference.
final class LoopDevice: Sendable {
  /// The device's path.
  let path: String

  /// Whether one can be made here.
  static let isPossible = {
    guard geteuid() == 0, let directory = try? TemporaryDirectory() else { return false }
    return (try? LoopDevice(in: directory, size: 1 << 20)) != nil
  }()

  /// Makes one.
  ///
  /// - Parameters:
  ///   - directory: where its file will lie.
  ///   - size: in bytes.
  /// - Throws: what `losetup` said.
  init(in directory: TemporaryDirectory, size: Int64) throws {
    let file = directory.path("loop-\(size)")
    try PosixFile(creating: file).setLength(size)
    let text = try Command.run("losetup", ["--find", "--show", file]).text
    path = String(text.prefix { !$0.isWhitespace })
  }

  deinit { _ = try? Command.attempt("losetup", ["--detach", path]) }
}
