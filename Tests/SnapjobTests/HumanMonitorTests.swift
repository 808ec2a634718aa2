import QMP
import Snapjob
import TestOracles
import Testing

/// The monitor for people, byte for byte as QEMU's on the same files.
@Suite struct HumanMonitorTests {
  private let directory: TemporaryDirectory
  private let paths: [String]

  init() throws {
    directory = try TemporaryDirectory()
    paths = ["disk0", "disk1", "disk2"].map { [directory] in directory.path("\($0).qcow2") }
    for (path, options) in zip(paths, [[], ["compat=0.10"], ["lazy_refcounts=on"]]) {
      try QemuImg.create(path, size: "1M", options: options)
    }
  }

  /// What QEMU's monitor says to each line, then ours on the same files.
  private func say(
    _ lines: [String], after changes: [String] = []
  ) async throws -> [(line: String, theirs: String, ours: String)] {
    let vm = try QemuVM(zip(["disk0", "disk1", "disk2"], paths).map { QemuVM.Disk($0, $1) })
    for change in changes { #expect(try vm.monitor(change) == "") }
    let theirs = try lines.map { try vm.monitor($0) }
    try vm.quit()
    let engine = try await Engine.open(catalogPath: directory.path("catalog.sqlite"))
    defer { engine.close() }
    let monitor = try engine.monitor(for: .files(paths))
    var spoken: [(line: String, theirs: String, ours: String)] = []
    for (line, theirs) in zip(lines, theirs) {
      let reply = try await monitor.execute(
        "human-monitor-command", ["command-line": .string(line)])
      guard case .string(let ours) = reply else { continue }
      spoken.append((line, theirs, ours))
    }
    return spoken
  }

  @Test func listsSnapshotsAsQEMUDoes() async throws {
    for (path, names) in zip(paths, [["one", "äöü"], ["äöü", "alone"], ["äöü", "one"]]) {
      for name in names { try QemuImg.createSnapshot(name, in: path) }
    }
    let spoken = try await say(
      ["info snapshots"],
      after: ["savevm \"with state\"", "snapshot_blkdev_internal disk2 a-name-that-is-rather-long"])
    #expect(spoken.count == 1)
    for (line, theirs, ours) in spoken { #expect(ours == theirs, "\(line)") }
  }

  @Test func listsNoSnapshotsAsQEMUDoes() async throws {
    for (line, theirs, ours) in try await say(["info snapshots"]) {
      #expect(ours == theirs, "\(line)")
    }
  }

  @Test func describesImagesAsQEMUDoes() async throws {
    try QemuImg.createSnapshot("one", in: paths[0])
    let lines = ["info block -v", "info block -v disk1", "info block disk2", "info block nope"]
    for (line, theirs, ours) in try await say(lines) {
      // What a device adds, and the blocks that QEMU's own close gives back.
      let kept = { (text: String) in
        text.split(separator: "\r\n", omittingEmptySubsequences: false).filter {
          !$0.contains("Attached to:") && !$0.hasPrefix("disk size:")
        }
      }
      #expect(kept(ours) == kept(theirs), "\(line)")
    }
  }
}
