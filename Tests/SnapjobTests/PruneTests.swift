import QMP
import Snapjob
import TestOracles
import Testing

/// Pruning with a real catalog: what counts as made by snapjob.
@Suite struct PruneTests {
  private let directory: TemporaryDirectory
  private let disk: String

  init() throws {
    directory = try TemporaryDirectory()
    disk = directory.path("disk.qcow2")
    try QemuImg.create(disk, size: "1M")
  }

  @Test func `only snapshots whose job is remembered and that are still its own are removed`()
    async throws
  {
    let engine = try await Engine.open(catalogPath: directory.path("catalog.sqlite"))
    defer { engine.close() }
    let monitor = try engine.monitor(for: .stored("default"))
    _ = try await monitor.execute(
      "blockdev-add",
      [
        "driver": "qcow2", "node-name": "disk0",
        "file": ["driver": "file", "filename": .string(disk)],
      ])
    func run(_ command: String, _ id: String, _ tag: String, _ more: [QMPValue.Member] = [])
      async throws
    {
      let members: [QMPValue.Member] = [
        .init("job-id", .string(id)), .init("tag", .string(tag)), .init("devices", ["disk0"]),
      ]
      _ = try await monitor.execute(command, .object(members + more))
      try await monitor.finish(id)
    }
    let vmstate = QMPValue.Member("vmstate", "disk0")
    for tag in ["n1", "n2", "n3"] { try await run("snapshot-save", "save-\(tag)", tag, [vmstate]) }
    try await run(
      "snapshot-load", "load", "n1", [vmstate, .init("x-save-current", "n4")])
    // Another program puts its own in the place of ours.
    try QemuImg.deleteSnapshot("n2", in: disk)
    try QemuImg.createSnapshot("n2", in: disk)
    try QemuImg.createSnapshot("n5", in: disk)
    _ = try await monitor.execute("x-snapjob-dismiss-all", nil)

    let plan = try await monitor.execute(
      "x-snapjob-prune-plan", ["match": "n*", "keep-last": 1])
    #expect(
      plan == [
        ["tag": "n1", "action": "remove", "reason": "older than the newest that matches"],
        ["tag": "n3", "action": "remove", "reason": "older than the newest that matches"],
        ["tag": "n4", "action": "keep", "reason": "the newest that matches"],
        ["tag": "n2", "action": "keep", "reason": "not made by snapjob"],
        ["tag": "n5", "action": "keep", "reason": "not made by snapjob"],
      ])
    try await run("snapshot-delete", "prune", "n1", [.init("x-more-tags", ["n3"])])
    #expect(try QemuImg.snapshotNames(disk) == ["n4", "n2", "n5"])
    #expect(try QemuImg.check(disk).isClean)
  }
}
