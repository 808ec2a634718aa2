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

  @Test func `what another program takes on another disk while a job is pending stays`()
    async throws
  {
    let engine = try await Engine.open(catalogPath: directory.path("catalog.sqlite"))
    defer { engine.close() }
    try Command.run("mkdir", [directory.path("other")])
    // Both are called disk, as their files are.
    let other = directory.path("other/disk.qcow2")
    try QemuImg.create(other, size: "1M")
    let targets: [Engine.Target] = [.files([disk]), .files([other]), .stored("default")]
    let monitors = try targets.map { try engine.monitor(for: $0) }
    for (node, path) in [("disk0", disk), ("disk1", other)] {
      _ = try await monitors[2].execute(
        "blockdev-add",
        [
          "driver": "qcow2", "node-name": .string(node),
          "file": ["driver": "file", "filename": .string(path)],
        ])
    }
    for (monitor, node) in [(monitors[0], "disk"), (monitors[2], "disk0")] {
      for number in 1...2 {
        let (id, tag) = ("\(node)-\(number)", "\(node)w\(number)")
        _ = try await monitor.execute(
          "snapshot-save",
          [
            "job-id": .string(id), "tag": .string(tag), "devices": [.string(node)],
            "vmstate": .string(node), "x-auto-finalize": false,
          ])
        while try await monitor.job(id)["status"] != "pending" {
          try await Task.sleep(for: .milliseconds(2))
        }
        try QemuImg.createSnapshot(tag, in: other)
        _ = try await monitor.execute("job-finalize", ["id": .string(id)])
        try await monitor.finish(id)
      }
    }
    func removed(_ monitor: any QMPEndpoint, _ pattern: String, _ devices: QMPValue) async throws
      -> [QMPValue]
    {
      try await monitor.execute(
        "x-snapjob-prune-plan",
        ["match": .string(pattern), "keep-last": 1, "devices": devices]
      ).elements.filter { $0["action"] == "remove" }.compactMap { $0["tag"] }
    }
    #expect(try await removed(monitors[1], "*", ["disk"]) == [])
    #expect(try await removed(monitors[2], "*", ["disk1"]) == [])
    #expect(try await removed(monitors[0], "diskw*", ["disk"]) == ["diskw1"])
    #expect(try await removed(monitors[2], "disk0w*", ["disk0"]) == ["disk0w1"])
  }
}
