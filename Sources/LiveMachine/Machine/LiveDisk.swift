import FileNames
import Glibc
import Jobs
import QMP
import SnapshotJobs

/// A disk of a running machine, as its monitor tells of it now.
struct LiveDisk: Sendable, Hashable {
  /// A snapshot in its image.
  struct Snapshot: Sendable, Hashable {
    let id: String
    let name: String
    let vmStateSize: Int64
    /// When it was taken: seconds since the epoch.
    var dateSeconds: Int64 = 0
    /// Nanoseconds of that second.
    var dateNanoseconds: UInt32 = 0

    /// Whether it has a name, byte for byte as QEMU compares them; Swift's strings are equal more often.
    func isCalled(_ tag: String) -> Bool { name.hasSameBytes(as: tag) }

    /// Whether it was taken at a moment or later.
    func isTaken(since moment: Timestamp) -> Bool {
      let (seconds, overflow) = dateSeconds.multipliedReportingOverflow(by: 1_000_000)
      let date = seconds.addingReportingOverflow(Int64(dateNanoseconds / 1000))
      return !overflow && !date.overflow && date.partialValue >= moment.microseconds
    }
  }

  /// The block node's name for this boot; made-up ones (`#block…`) change at each start.
  let node: String
  /// What a user would call it: node name, drive id or device id, whichever he has given.
  let label: String?
  /// The file, if it is one.
  let path: String?
  /// The driver of the node, `qcow2` for example.
  let driver: String
  /// Whether it holds firmware variables.
  let isFlash: Bool
  /// Whether a device of the guest has it. A node without a device does not change by itself.
  let isAttached: Bool
  /// Dirty bitmaps on the node; those without a name are called so.
  let bitmaps: [String]
  /// The snapshots in the image.
  let snapshots: [Snapshot]

  /// Whether QEMU can take a snapshot of it.
  var canTakeSnapshots: Bool { driver == "qcow2" }

  /// How it is named in sentences, with its file.
  var description: String {
    let name = label ?? node
    return path.map { "\(name) (\($0), \(driver))" } ?? "\(name) (\(driver))"
  }

  /// Whether the disk is this file, by whatever path.
  func isFile(_ other: String) -> Bool {
    guard let path else { return false }
    if path.hasSameBytes(as: other) { return true }
    guard let own = Self.identity(path), let theirs = Self.identity(other) else { return false }
    return own == theirs
  }

  private static func identity(_ path: String) -> [UInt64]? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    // A block device is its number, by whatever name.
    if status.st_mode & S_IFMT == S_IFBLK { return [UInt64(status.st_rdev)] }
    return [UInt64(status.st_dev), UInt64(status.st_ino)]
  }
}
