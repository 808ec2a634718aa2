import TestOracles

/// The examples of the repository, and the programs that some of them need.
enum Examples {
  /// The repository.
  static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

  /// A file of the repository.
  static func path(_ name: String) -> String { "\(root)/\(name)" }

  /// A program of the Python package qemu.qmp, which `make test` installs; nil, and a remark, where it
  /// could not be had.
  static func qmpClient(_ name: String) -> String? {
    let path = path(".build/qemu.qmp/bin/\(name)")
    guard (try? Command.attempt("test", ["-x", path]).status) == 0 else {
      print("left out: there is no \(path). To install it: make qmp-client")
      return nil
    }
    return path
  }
}
