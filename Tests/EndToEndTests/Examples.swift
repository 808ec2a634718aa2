import Glibc

/// The examples of the repository, and the programs that some of them need.
enum Examples {
  /// The repository.
  static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

  /// A file of the repository.
  static func path(_ name: String) -> String { "\(root)/\(name)" }

  /// The argument of `human-monitor-command` that writes 64 KiB to the first disk of a machine of the tests,
  /// through its guest's own device.
  static func guestWrite(_ pattern: Int, at offset: Int) -> String {
    let device = "/machine/peripheral-anon/device[0]/virtio-backend"
    let words = "write -P \(pattern) \(offset) 65536"
    return #"{"command-line": "qemu-io -d \#(device) \"\#(words)\""}"#
  }

  /// A program of the Python package qemu.qmp, which `make test` installs.
  static func qmpClient(_ name: String) -> String { path(".build/qemu.qmp/bin/\(name)") }

  /// Whether the Python package qemu.qmp could be had.
  static let hasQMPClient = access(qmpClient("qmp-shell"), X_OK) == 0
}
