import DeviceState
import Glibc
import JobCatalog
import Jobs
import Qcow2
import TestOracles
import Testing

@testable import SnapshotJobs

/// Device states on their way into files and out of them, without a machine.
@Suite struct DeviceStateWorkTests {
  private let bench: Workbench
  private let nodes: [Node]
  /// The state of a whole machine, made by QEMU.
  private let whole: [UInt8]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
    whole = try Self.testData("savevm-microvm")
  }

  private static func testData(_ name: String) throws -> [UInt8] {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let file = try PosixFile(opening: "/\(root)/testdata/\(name).qevm", .read)
    return try file.read(byteCount: Int(file.length()), at: 0)
  }

  private var machine: Machine { Machine(name: nil, nodes: nodes) }
  private var access: ImageAccess { ImageAccess(log: bench.catalog) }

  private func write(_ bytes: [UInt8], _ name: String = "file") throws -> String {
    let path = bench.directory.path(name)
    try Command.run("rm", ["-f", path])
    try PosixFile(creating: path).write(bytes, at: 0)
    return path
  }

  private func read(_ path: String) throws -> [UInt8] {
    let file = try PosixFile(opening: path, .read)
    return try file.read(byteCount: Int(file.length()), at: 0)
  }

  /// Runs a job to its conclusion.
  @discardableResult
  private func run(_ request: DeviceStateRequest, cancels: Bool = false) async throws -> JobRecord {
    let id = try JobID("state-\(UInt32.random(in: 0 ... .max))")
    let work: any JobWork =
      request.operation == .save
      ? DeviceStateSaving(request, machine: machine, access: access)
      : DeviceStateLoading(request, machine: machine, access: access)
    try bench.runner.start([
      JobRunner.Request(
        record: JobRecord(
          id: id, type: request.operation.rawValue, subject: nil, autoFinalize: !cancels,
          autoDismiss: false, note: nil, arguments: "{}",
          created: Timestamp(microseconds: 1_000_000)), work: work)
    ])
    if cancels {
      _ = try await bench.runner.wait(for: id, orPending: true)
      try await bench.runner.apply(.cancel, to: id)
    }
    return try await bench.runner.wait(for: id)
  }

  private func load(_ path: String, cancels: Bool = false) async throws -> JobRecord {
    try await run(DeviceStateRequest(.load, filename: path), cancels: cancels)
  }

  private func staged() throws -> [String] {
    let path = bench.catalog.stagedStateDirectory
    guard Glibc.access(path, F_OK) == 0 else { return [] }
    return try Command.run("ls", ["-A", path]).text.split(separator: "\n").map(String.init)
  }

  @Test func `a whole stream waits beside the catalog until the next save has it`() async throws {
    let content = try digests(nodes)
    let record = try await load(try write(whole))
    #expect(record.error == nil)
    #expect(record.progress.current == record.progress.total)
    #expect(try staged().count == 1)
    let path = bench.catalog.stagedStateDirectory + "/" + (try staged()[0])
    #expect(try Command.run("stat", ["-c", "%a", path]).text == "600\n")
    #expect(try read(path) == whole)
    #expect(try digests(nodes) == content)
    try expectAgreement(nodes)

    try bench.restart()
    #expect(try bench.hasState(nodes))
    try await bench.succeed(.save("first", on: nodes), on: nodes)
    #expect(try nodes[0].state("first") == whole)
    // From now on the snapshot keeps it.
    #expect(try staged().isEmpty)
    try bench.restart()
    try await bench.succeed(.save("second", on: nodes), on: nodes)
    #expect(try nodes[0].state("second") == whole)
    try expectAgreement(nodes)
  }

  @Test func `a state that waits is gone with a guest's write, and with a load`() async throws {
    #expect(try await load(try write(whole)).error == nil)
    try nodes[1].writeAsGuest()
    let saved = try await bench.succeed(.save("a", on: nodes), on: nodes)
    #expect(saved.remarks.count == 1)
    #expect(try nodes[0].state("a") == nil)
    #expect(try await load(try write(whole)).error == nil)
    let loaded = try await bench.succeed(.load("a", on: nodes), on: nodes)
    #expect(loaded.remarks.contains { $0.contains("never saved is gone") })
    #expect(try staged().isEmpty)
  }

  @Test func `a copy of the disks does not take a state that waits, and the disks have it still`()
    async throws
  {
    #expect(try await load(try write(whole)).error == nil)
    var copies: [Node] = []
    for node in nodes {
      let path = bench.directory.path("copy-of-\(node.name).qcow2")
      try Command.run("cp", ["--preserve=all", node.path, path])
      copies.append(Node(name: node.name, path: path))
    }
    let ofCopy = try await bench.succeed(.save("c", on: copies), on: copies)
    #expect(
      ofCopy.remarks == [
        "The machine's device state is left out of the snapshot: disk0: the state that was loaded from a file "
          + "goes with \(nodes[0].path), and \(copies[0].path) is another file."
      ])
    #expect(try copies[0].state("c") == nil)
    #expect(try staged().count == 1)
    // It is said once, and a load of the copy is none of the disks' business.
    #expect(try await bench.succeed(.save("d", on: copies), on: copies).remarks.isEmpty)
    try await bench.succeed(.load("c", on: copies), on: copies)
    #expect(try staged().count == 1)
    try bench.restart()
    #expect(try await bench.succeed(.save("x", on: nodes), on: nodes).remarks.isEmpty)
    #expect(try nodes[0].state("x") == whole)
    #expect(try staged().isEmpty)
    try expectAgreement(nodes)
    try expectAgreement(copies)
  }

  @Test func `a file with another date is one that somebody has written to, and that is said`()
    async throws
  {
    #expect(try await load(try write(whole)).error == nil)
    try Command.run("chmod", ["640", nodes[0].path])
    #expect(try bench.hasState(nodes))
    try Command.run("touch", [nodes[0].path])
    var insisting = SnapshotRequest.save("a", on: nodes)
    insisting.requiresState = true
    #expect(try await bench.fail(insisting, on: nodes).kind == .conflict)
    #expect(try staged().count == 1)
    let saved = try await bench.succeed(.save("a", on: nodes), on: nodes)
    #expect(
      saved.remarks == [
        "The machine's device state is left out of the snapshot: disk0: another program has written to "
          + "\(nodes[0].path) since."
      ])
    #expect(try staged().isEmpty)
    #expect(try await bench.succeed(.save("b", on: nodes), on: nodes).remarks.isEmpty)
  }

  @Test func `what snapjob itself writes meanwhile leaves a state that waits, but hides nothing`()
    async throws
  {
    #expect(try await load(try write(whole)).error == nil)
    func change() async throws {
      let id = try bench.start(.save("given-up", on: nodes), on: nodes, autoFinalize: false)
      _ = try await bench.runner.wait(for: id, orPending: true)
      try await bench.runner.apply(.cancel, to: id)
      _ = try await bench.runner.wait(for: id)
      for node in nodes {
        try ImageChange(
          [
            .bitmap(
              .add(
                node: "\(node.name)", name: "b\(UInt32.random(in: 0 ... .max))", granularity: nil,
                isEnabled: true))
          ], on: machine, access: access
        ).commit()
      }
    }
    try await change()
    #expect(try bench.hasState(nodes))
    #expect(try staged().count == 1)
    try nodes[1].writeAsGuest()
    try await change()
    #expect(try !bench.hasState(nodes))
    #expect(try await bench.succeed(.save("a", on: nodes), on: nodes).remarks.count == 1)
    #expect(try nodes[0].state("a") == nil)
    #expect(try staged().isEmpty)
    try expectAgreement(nodes)
  }

  @Test func `a state that waits goes with all of its disks or none`() async throws {
    #expect(try await load(try write(whole)).error == nil)
    let part = try await bench.succeed(.save("part", on: [nodes[0]]), on: nodes)
    #expect(part.remarks.first?.contains("it belongs to 2 disks") == true)
    #expect(try bench.hasState(nodes))
    // Another file takes its place; a disk that goes back alone ends it.
    #expect(try await load(try write(whole, "again")).error == nil)
    #expect(try staged().count == 1)
    let loaded = try await bench.succeed(.load("part", on: [nodes[0]]), on: nodes)
    #expect(loaded.remarks.contains { $0.contains("never saved is gone") })
    #expect(try staged().isEmpty)
    #expect(try await bench.succeed(.save("rest", on: nodes), on: nodes).remarks.isEmpty)
    #expect(try nodes[0].state("rest") == nil)
  }

  @Test func `a state whose file has gone is left out with a remark`() async throws {
    #expect(try await load(try write(whole)).error == nil)
    try Command.run("rm", ["\(bench.catalog.stagedStateDirectory)/\(try staged()[0])"])
    let result = try await bench.succeed(.save("a", on: nodes), on: nodes)
    #expect(result.remarks.first?.contains("the file in which it waits cannot be read") == true)
    #expect(try nodes[0].state("a") == nil)
  }

  @Test func `saving the present before a load saves the state that waits`() async throws {
    try await bench.succeed(.save("a", on: nodes), on: nodes)
    #expect(try await load(try write(whole)).error == nil)
    let result = try await bench.succeed(
      .load("a", on: nodes, saveCurrent: "kept"), on: nodes)
    #expect(result.remarks.isEmpty)
    #expect(try nodes[0].state("kept") == whole)
    #expect(try !bench.hasState(nodes))
  }

  @Test func `a job that is cancelled or killed leaves no file and the state of before`()
    async throws
  {
    #expect(try await load(try write(whole), cancels: true).error != nil)
    #expect(try staged().isEmpty)
    #expect(try !bench.hasState(nodes))
    // Killed between the file and the commit record.
    let work = DeviceStateLoading(
      DeviceStateRequest(.load, filename: try write(whole)), machine: machine, access: access)
    let prepared = try work.prepare(JobControl())
    #expect(try staged().count == 1)
    // Another process sees that the file is being written.
    try bench.restart()
    #expect(try staged().count == 1)
    prepared.abandon()
    try expectAgreement(nodes)
  }

  @Test func `files that processes have left are removed, and nothing else`() throws {
    let directory = bench.catalog.stagedStateDirectory
    try Command.run("mkdir", [directory])
    for name in ["a.state", "other"] { _ = try PosixFile(creating: "\(directory)/\(name)") }
    try bench.restart()
    #expect(try staged() == ["other"])
  }

  @Test func `damage is refused with its offset, and nothing changes`() async throws {
    try nodes[0].saveAsMachine("live", StateBytes(count: 1000))
    try QemuImg.createSnapshot("live", in: nodes[1].path)
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    let before = try fileDigests(nodes)
    var wrongMagic = whole
    wrongMagic[0] = 0
    var wrongVersion = whole
    wrongVersion[7] = 2
    for (bytes, text) in [
      (Array(whole.dropLast()), "offset 0x"), (whole + [0], "offset 0x"),
      (wrongMagic, "Not a migration stream"), (wrongVersion, "SaveVM v2 format is obsolete"),
      ([], "Not a migration stream"),
    ] {
      let error = try #require(try await load(try write(bytes)).error)
      #expect(error.kind == .refused, "\(error)")
      #expect(error.message.hasPrefix("loading Xen device state failed: "), "\(error)")
      #expect(error.message.contains(text), "\(error)")
    }
    let path = bench.directory.path("nothing")
    let missing = try await load(path)
    #expect(missing.error?.kind == .notFound)
    #expect(missing.error?.message == "Unable to open \(path): No such file or directory")
    #expect(try fileDigests(nodes) == before)
    #expect(try staged().isEmpty)
    #expect(try bench.hasState(nodes))
  }

  @Test func `devices are written alone or with RAM, with footers or without, and put back`()
    async throws
  {
    #expect(try await load(try write(whole)).error == nil)
    let path = bench.directory.path("out")
    var request = DeviceStateRequest(.save, filename: path)
    #expect(try await run(request).error == nil)
    #expect(try Command.run("stat", ["-c", "%a", path]).text == "600\n")
    let devices = try read(path)
    let summary = try StreamSummary(reading: BytesSource(devices))
    #expect(summary.isDevicesOnly)
    let original = try StreamSummary(reading: BytesSource(whole))
    #expect(summary.devices.map(\.name) == original.devices.map(\.name))

    request.hasFooters = false
    #expect(try await run(request).error == nil)
    #expect(try read(path).count == devices.count - 5 * summary.devices.count)
    request.hasFooters = true
    request.withRAM = true
    #expect(try await run(request).error == nil)
    #expect(try read(path) == whole)

    // The devices of the file take the place of those that are there.
    #expect(try await load(try write(devices, "devices")).error == nil)
    try await bench.succeed(.save("merged", on: nodes), on: nodes)
    #expect(try nodes[0].state("merged") == whole)
    request = DeviceStateRequest(.save, filename: path)
    request.tag = "merged"
    #expect(try await run(request).error == nil)
    #expect(try read(path) == devices)
    try expectAgreement(nodes)
  }

  @Test func `a file of other devices, or with nothing to put it into, is refused`() async throws {
    let none = try write(try Self.testData("devices-none"), "none")
    let nothing = try #require(try await load(none).error)
    #expect(nothing.kind == .notFound)
    #expect(nothing.message.contains("no state with RAM to put them into"))
    #expect(try await load(try write(whole)).error == nil)
    let pc = try write(try Self.testData("devices-pc"), "pc")
    let other = try #require(try await load(pc).error)
    #expect(other.kind == .conflict)
    #expect(other.message.contains("other devices"))
    #expect(try bench.hasState(nodes))
    #expect(try staged().count == 1)
  }

  @Test func `a save that cannot be done leaves what was there`() async throws {
    let older = Array("QEVMolder".utf8)
    let path = try write(older, "out")
    let files = try Command.run("ls", ["-A", bench.directory.path]).text
    var request = DeviceStateRequest(.save, filename: path)
    let missing = try #require(try await run(request).error)
    #expect(missing.kind == .notFound)
    #expect(missing.message.contains("no device state"))
    request.tag = "nowhere"
    #expect(try await run(request).error?.kind == .notFound)
    try await bench.succeed(.save("disks", on: nodes), on: nodes)
    request.tag = "disks"
    #expect(try await run(request).error?.message.contains("of the disks only") == true)
    // State that is no stream at all.
    try nodes[0].saveAsMachine("rubbish", StateBytes(count: 1000))
    request.tag = "rubbish"
    let rubbish = try #require(try await run(request).error)
    #expect(rubbish.kind == .refused)
    #expect(rubbish.message.hasPrefix("saving Xen device state failed: snapshot 'rubbish': "))

    #expect(try await load(try write(whole)).error == nil)
    request.tag = nil
    #expect(try await run(request, cancels: true).error != nil)
    #expect(try read(path) == older)
    try Command.run("rm", [bench.directory.path("file")])
    #expect(try Command.run("ls", ["-A", bench.directory.path]).text == files)
    let nowhere = DeviceStateRequest(.save, filename: bench.directory.path("no/where"))
    #expect(
      try await run(nowhere).error?.message
        == "Unable to open \(bench.directory.path("no/where")): No such file or directory")
    let directory = DeviceStateRequest(.save, filename: bench.directory.path)
    #expect(try await run(directory).error?.message.contains("Is a directory") == true)
  }

  @Test func `no image is replaced by a state`() async throws {
    #expect(try await load(try write(whole)).error == nil)
    let link = bench.directory.path("link")
    try Command.run("ln", ["-s", nodes[1].path, link])
    let before = try fileDigests(nodes)
    for (path, place) in [(nodes[0].path, nodes[0].path), (link, nodes[1].path)] {
      let refusal = try #require(try await run(DeviceStateRequest(.save, filename: path)).error)
      #expect(refusal.kind == .conflict, "\(refusal)")
      #expect(refusal.message.contains("\(place) is no device state"))
    }
    #expect(try Command.run("stat", ["-c", "%F", link]).text == "symbolic link\n")
    #expect(try fileDigests(nodes) == before)
    try expectAgreement(nodes)
    // A state of before, or a file that mktemp has made, is what one wants to be replaced.
    for content in [whole, []] {
      let path = try write(content, "old")
      #expect(try await run(DeviceStateRequest(.save, filename: path)).error == nil)
      #expect(try StreamSummary(reading: BytesSource(try read(path))).isDevicesOnly)
    }
  }

  @Test(arguments: [[], [0], [0, 1]])
  func `a load of a file that died in its commit is brought forward`(published: [Int])
    async throws
  {
    try leaveLoad(published: published)
    #expect(try bench.recovery.run().allSatisfy(\.isResolved))
    try bench.restart()
    let result = try await bench.succeed(.save("a", on: nodes), on: nodes)
    if published.isEmpty {
      #expect(result.remarks.isEmpty)
      #expect(try nodes[0].state("a") == whole)
    } else {
      // A disk that was published lay open to everybody until recovery came.
      #expect(result.remarks.first?.contains("it is not known whether another program") == true)
      #expect(try nodes[0].state("a") == nil)
    }
    #expect(try staged().isEmpty)
    try expectAgreement(nodes)
  }

  @Test func `one whose disks others have written to since is there, and out of date`() async throws
  {
    try leaveLoad(published: [0, 1])
    for node in nodes { try node.writeAsGuest() }
    #expect(try bench.recovery.run().allSatisfy(\.isResolved))
    #expect(try bench.unsettledCommits().isEmpty)
    let result = try await bench.succeed(.save("a", on: nodes), on: nodes)
    #expect(try nodes[0].state("a") == nil)
    #expect(!result.remarks.isEmpty)
    try expectAgreement(nodes)
  }

  /// Leaves a load behind as if its process had died in the middle of its commit.
  private func leaveLoad(published: [Int]) throws {
    let work = DeviceStateLoading(
      DeviceStateRequest(.load, filename: try write(whole)), machine: machine, access: access)
    let prepared = try #require(try work.prepare(JobControl()) as? PreparedSnapshots)
    try bench.interrupt([prepared], published: published)
  }
}
