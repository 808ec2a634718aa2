import Glibc
import QMP
import Snapjob
import TestOracles
import Testing

@Suite struct EngineTests {
  private let directory: TemporaryDirectory
  private let catalog: String

  init() throws {
    directory = try TemporaryDirectory()
    catalog = directory.path("state/catalog.sqlite")
  }

  private func open() async throws -> Engine { try await Engine.open(catalogPath: catalog) }

  private func image(_ name: String) throws -> String {
    let path = directory.path(name)
    try QemuImg.create(path, size: "1M")
    return path
  }

  @Test func createsImagesAndTakesLoadsAndDeletesASnapshotOfThem() async throws {
    let engine = try await open()
    defer { engine.close() }
    #expect(engine.notices.isEmpty)
    let monitor = try engine.monitor(for: .stored("default"))
    let new = directory.path("new.qcow2")
    _ = try await monitor.execute(
      "blockdev-create",
      [
        "job-id": "create",
        "options": [
          "driver": "qcow2", "size": 1_048_576,
          "file": ["driver": "file", "filename": .string(new)],
        ],
      ])
    try await monitor.finish("create")
    for (node, path) in [("disk0", new), ("disk1", try image("qemu.qcow2"))] {
      _ = try await monitor.execute(
        "blockdev-add",
        [
          "driver": "qcow2", "node-name": .string(node),
          "file": ["driver": "file", "filename": .string(path)],
        ])
    }
    let devices: QMPValue = ["disk0", "disk1"]
    _ = try await monitor.execute(
      "snapshot-save",
      ["job-id": "save", "tag": "clean", "vmstate": "disk0", "devices": devices, "x-note": "n"])
    try await monitor.finish("save")
    let list = try await monitor.execute("x-snapjob-list", nil)
    #expect(list.elements.map { $0["tag"] } == ["clean"])
    #expect(list.elements.first?["complete"] == true)
    #expect(list.elements.first?["note"] == "n")
    let checks = try await monitor.execute("x-snapjob-check", nil).elements
    #expect(checks.map { $0["result"]?["exit-code"] } == [0, 0])
    #expect(try QemuImg.check(new).isClean)
    let verified = try await monitor.execute("x-snapjob-verify", ["digest": true]).elements
    #expect(verified.map { $0["exit-code"] } == [0, 0])
    let states = verified.last?["states"]?.elements ?? []
    #expect(states.map { $0["tag"] } == [.null, "clean"])
    let digest = try QemuImg.contentDigest(new)
    #expect(states.map { $0["digest"] } == [.string(digest), .string(digest)])
    let plan = try await monitor.execute(
      "x-snapjob-plan",
      [
        "command": "snapshot-load",
        "arguments": ["job-id": "p", "tag": "clean", "vmstate": "disk0", "devices": devices],
      ])
    #expect(plan.elements.map { $0["node"] } == ["disk0", "disk1"])
    _ = try await monitor.execute(
      "snapshot-load",
      ["job-id": "load", "tag": "clean", "vmstate": "disk0", "devices": devices])
    try await monitor.finish("load")
    _ = try await monitor.execute(
      "snapshot-delete", ["job-id": "delete", "tag": "clean", "devices": devices])
    try await monitor.finish("delete")
    #expect(try await monitor.execute("x-snapjob-list", nil) == [])
    #expect(try QemuImg.check(new).isClean)
    let nodes = try await monitor.execute("query-named-block-nodes", nil).elements
    #expect(nodes.map { $0["node-name"] } == ["disk1", "disk0"])
    #expect(nodes.allSatisfy { $0["image"]?["virtual-size"] == 1_048_576 })
  }

  @Test func whatOneEngineStoredTheNextOneKnows() async throws {
    let path = try image("a.qcow2")
    let first = try await open()
    let monitor = try first.monitor(for: .stored("default"))
    _ = try await monitor.execute(
      "x-snapjob-machine-add",
      ["name": "web01", "disks": [["filename": .string(path)]]])
    _ = try await monitor.execute(
      "snapshot-save", ["job-id": "none", "tag": "t", "vmstate": "d", "devices": []])
    let failed = try await monitor.end(of: "none")
    #expect(failed["error"] == "At least one device is required for snapshot")
    first.close()
    let second = try await open()
    defer { second.close() }
    let web01 = try second.monitor(for: .stored("web01"))
    #expect(
      try await web01.execute("x-snapjob-machine-show", nil)["nodes"]?.elements.first?["filename"]
        == .string(path))
    #expect(try await web01.execute("query-jobs", nil) == [])
    let jobs = try await second.monitor(for: .stored("default")).execute("query-jobs", nil)
    #expect(jobs.elements.map { $0["id"] } == ["none"])
    let log = try await web01.execute("x-snapjob-job-log", ["id": "none"])
    #expect(
      log.elements.map { $0["status"] } == ["created", "running", "aborting", "concluded"])
  }

  @Test func anUnknownMachineIsNotFound() async throws {
    let engine = try await open()
    defer { engine.close() }
    let error = #expect(throws: QMPError.self) { _ = try engine.monitor(for: .stored("nope")) }
    #expect(error?.kind == "notFound")
  }

  @Test func filesAreNodesByTheirNames() async throws {
    let engine = try await open()
    defer { engine.close() }
    let names = [
      "web", "1st", "web.01", "twin", "a-name-that-is-much-longer-than-31-bytes", "disk1",
    ]
    let paths = names.map { directory.path("\($0).qcow2") } + [directory.path("twin.img")]
    let machine = try await engine.monitor(for: .files(paths)).execute(
      "x-snapjob-machine-show", nil)
    let nodes = try #require(machine["nodes"]).elements
    #expect(
      nodes.map { $0["node-name"] }
        == ["web", "disk0", "web.01", "disk2", "disk3", "disk1", "disk4"])
    #expect(nodes.map { $0["filename"] } == paths.map { .string($0) })
    #expect(machine["name"] == .null)
    #expect(throws: QMPError(.genericError, "No file is given", kind: "usage")) {
      _ = try engine.monitor(for: .files([]))
    }
  }

  @Test func aJobOnFilesIsInTheCatalog() async throws {
    let engine = try await open()
    defer { engine.close() }
    let path = try image("a.qcow2")
    let monitor = try engine.monitor(for: .files([path]))
    _ = try await monitor.execute(
      "snapshot-save", ["job-id": "j", "tag": "t", "vmstate": "a", "devices": ["a"]])
    try await monitor.finish("j")
    let all = try await engine.monitor(for: .stored("default")).execute(
      "query-jobs", ["x-all-machines": true])
    #expect(all.elements.map { $0["machine"] } == [.null])
  }

  @Test(arguments: ["x-snapjob-check", "x-snapjob-verify"])
  func looksIntoAnImageOnceItsHolderHasLetGoOfIt(command: String) async throws {
    let path = try image("a.qcow2")
    let held = try QemuIO.hold(path)
    defer { held.close() }
    let pid = held.pid
    func exitCode(_ engine: Engine) async throws -> QMPValue? {
      let reply = try await engine.monitor(for: .stored("default")).execute(
        command, ["targets": [.string(path)]])
      let image = try #require(reply.elements.first)
      return image["exit-code"] ?? image["result"]?["exit-code"]
    }
    let hasty = try await open()
    defer { hasty.close() }
    #expect(try await exitCode(hasty) != 0)
    let patient = try await Engine.open(
      catalogPath: catalog, lockPatience: .seconds(60),
      onWait: { holder in
        #expect(holder.contains("\(pid)"))
        kill(pid, SIGKILL)
      })
    defer { patient.close() }
    #expect(try await exitCode(patient) == 0)
  }

  @Test func aCatalogThatIsNoneIsRefused() async throws {
    try Command.run("mkdir", [directory.path("state")])
    try Command.run("sh", ["-c", "head -c 8192 /dev/urandom > \"$0\"", catalog])
    do {
      _ = try await open()
      Issue.record("opened")
    } catch let error as QMPError {
      #expect(error.kind == "catalog")
    }
  }

  @Test func aJobWhoseProcessDiedIsSettledByTheNextStart() async throws {
    let path = try image("a.qcow2")
    let first = try await open()
    let monitor = try first.monitor(for: .files([path]))
    _ = try await monitor.execute(
      "snapshot-save",
      [
        "job-id": "j", "tag": "t", "vmstate": "a", "devices": ["a"], "x-auto-finalize": false,
      ])
    while try await monitor.job("j")["status"] != "pending" {
      try await Task.sleep(for: .milliseconds(2))
    }
    // An engine that is closed is no worker any more, as a process that has died is none.
    first.close()
    let onlyLooking = try await Engine.open(catalogPath: catalog, recovers: false)
    #expect(onlyLooking.notices.isEmpty)
    onlyLooking.close()
    let second = try await open()
    defer { second.close() }
    #expect(second.notices.count == 1)
    #expect(second.notices.first?.hasPrefix("j: ") == true)
    let job = try await second.monitor(for: .stored("default")).job("j")
    #expect(job["status"] == "concluded")
    #expect(job["error"] != nil)
    // The first engine's work still holds the image, as a process that has died would not.
    try Command.run("qemu-img", ["check", "-U", path])
  }
}
