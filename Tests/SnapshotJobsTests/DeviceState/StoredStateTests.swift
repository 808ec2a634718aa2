import Jobs
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

/// The device state of a machine that is off: which saves keep it, and what ends it.
@Suite struct StoredStateTests {
  private let bench: Workbench
  private let nodes: [Node]
  private let state = StateBytes(count: 300_000)

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
    try saveAsMachine(nodes)
  }

  private func saveAsMachine(_ nodes: [Node], _ tag: String = "live") throws {
    try nodes[0].saveAsMachine(tag, state)
    try QemuImg.createSnapshot(tag, in: nodes[1].path)
    for node in nodes { try QemuIO.write(0x99, at: 0, length: 30 << 10, in: node.path) }
  }

  private func addBitmap(_ name: String, to node: String) throws {
    try ImageChange(
      [.bitmap(.add(node: node, name: name, granularity: nil, isEnabled: true))],
      on: Machine(name: nil, nodes: nodes), access: ImageAccess(log: bench.catalog)
    ).commit()
  }

  private func save(_ tag: String, vmstate: String? = "disk0") -> SnapshotRequest {
    var request = SnapshotRequest.save(tag, on: nodes)
    request.vmstate = vmstate
    return request
  }

  @Test func `after a load the next saves share the state, whichever snapshot goes first`()
    async throws
  {
    #expect(try !bench.hasState(nodes))
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    #expect(try bench.hasState(nodes))
    let result = try await bench.succeed(save("second"), on: nodes)
    #expect(result.bytesWritten < 200_000)
    #expect(result.remarks.isEmpty)
    #expect(try nodes[0].state("second") == state.bytes)
    #expect(try nodes[1].state("second") == nil)

    let deleted = try await bench.succeed(.delete("live", on: nodes), on: nodes)
    #expect(deleted.remarks.isEmpty)
    try bench.restart()
    try await bench.succeed(save("third"), on: nodes)
    try await bench.succeed(.delete("second", on: nodes), on: nodes)
    #expect(try nodes[0].state("third") == state.bytes)
    let listed = try Machine(name: nil, nodes: nodes).snapshots()
    #expect(listed.map { $0.devices.map(\.vmStateSize) } == [[300_000, 0]])
    #expect(listed[0].devices.map(\.vmClockNanoseconds) == [9, 0])
    try expectAgreement(nodes)

    let last = try await bench.succeed(.delete("third", on: nodes), on: nodes)
    #expect(last.remarks.count == 1)
    #expect(last.remarks[0].contains("disk0: the snapshot kept the machine's present device state"))
    let without = try await bench.succeed(save("fourth"), on: nodes)
    #expect(without.remarks.isEmpty)
    #expect(try nodes[0].state("fourth") == nil)
    try expectAgreement(nodes)
  }

  @Test func `another node gets a copy`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try await bench.succeed(save("second", vmstate: "disk1"), on: nodes)
    #expect(try nodes[0].state("second") == nil)
    #expect(try nodes[1].state("second") == state.bytes)
    try await bench.succeed(.delete("live", on: nodes), on: nodes)
    #expect(try nodes[1].state("second") == state.bytes)
    try expectAgreement(nodes)
  }

  @Test func `a state that a guest's writes have outdated is left out once with a remark`()
    async throws
  {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try nodes[1].writeAsGuest()
    var insisting = save("second")
    insisting.requiresState = true
    let error = try await bench.fail(insisting, on: nodes)
    #expect(error.kind == .conflict)
    #expect(error.message.contains("disk1: another program has written to \(nodes[1].path) since"))
    #expect(error.message.contains("--disk-only"))
    let result = try await bench.succeed(save("second"), on: nodes)
    #expect(result.remarks.count == 1)
    #expect(result.remarks[0].contains("left out of the snapshot: disk1: another program has"))
    #expect(try nodes[0].state("second") == nil)
    let next = try await bench.succeed(save("third"), on: nodes)
    #expect(next.remarks.isEmpty)
    // The disk that nobody has written to keeps the state, and it is not true of it alone either.
    try await bench.succeed(.save("fourth", on: [nodes[0]]), on: nodes)
    #expect(try nodes[0].state("fourth") == nil)
    try expectAgreement(nodes)
  }

  @Test func `what was committed into a disk from an overlay outdates it for ever`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try nodes[1].writeThroughOverlay()
    #expect(try !bench.hasState(nodes))
    // Whatever snapjob writes to the disk meanwhile, no mark of its own makes the state look fresh.
    let given = try bench.start(.save("given-up", on: nodes), on: nodes, autoFinalize: false)
    _ = try await bench.runner.wait(for: given, orPending: true)
    try await bench.runner.apply(.cancel, to: given)
    _ = try await bench.runner.wait(for: given)
    try addBitmap("b", to: "disk1")
    #expect(try !bench.hasState(nodes))
    let result = try await bench.succeed(save("second"), on: nodes)
    #expect(result.remarks.first?.contains("disk1: another program has written to") == true)
    #expect(try nodes[0].state("second") == nil)
    #expect(try !bench.hasState(nodes))
    try expectAgreement(nodes)
  }

  @Test func `another owner, mode or date of a disk's file is no write`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    for node in nodes { try Command.run("touch", [node.path]) }
    #expect(try bench.hasState(nodes))
  }

  @Test(arguments: [
    ["cluster_size=4096"], ["cluster_size=4096", "compat=0.10"],
    ["cluster_size=16384", "extended_l2=on"],
  ])
  func `the same bytes written again outdate it, too, in every format`(options: [String])
    async throws
  {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks(options: options)
    try saveAsMachine(nodes)
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try await bench.succeed(.save("second", on: nodes), on: nodes)
    #expect(try nodes[0].state("second") == state.bytes)
    try QemuIO.write(0x21, at: 300 << 10, length: 512, in: nodes[1].path)
    #expect(try !bench.hasState(nodes))
    let result = try await bench.succeed(.save("third", on: nodes), on: nodes)
    #expect(result.remarks.count == 1)
    #expect(try nodes[0].state("third") == nil)
    try expectAgreement(nodes)
  }

  @Test func `a disk of another size is out of date`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try QemuImg.resize(nodes[1].path, to: "2M")
    #expect(try !bench.hasState(nodes))
    let result = try await bench.succeed(save("second"), on: nodes)
    #expect(result.remarks.first?.contains("disk1: another program has written to") == true)
  }

  @Test func `another snapshot that has got the id and tag is not the one that it belongs to`()
    async throws
  {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try nodes[1].writeAsGuest()
    try QemuImg.deleteSnapshot("live", in: nodes[1].path)
    try QemuImg.createSnapshot("live", in: nodes[1].path)
    let result = try await bench.succeed(save("second"), on: nodes)
    #expect(
      result.remarks == [
        "The machine's device state is left out of the snapshot: disk1: the snapshot with which the disk was "
          + "at its moment is not there."
      ])
    #expect(try nodes[0].state("second") == nil)
  }

  @Test func `a disk that goes back to that very snapshot is at its moment again`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try nodes[1].writeAsGuest()
    #expect(try !bench.hasState(nodes))
    try QemuImg.applySnapshot("live", in: nodes[1].path)
    #expect(try bench.hasState(nodes))
  }

  // MARK: Copies

  @Test(arguments: [[0], [1], [0, 1]])
  func `a copy of disks is files of its own, and takes nothing from the original`(copied: [Int])
    async throws
  {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    var copies = nodes
    for index in copied {
      let path = bench.directory.path("copy\(index).qcow2")
      try Command.run("cp", [nodes[index].path, path])
      copies[index] = Node(name: nodes[index].name, path: path)
    }
    let own = copied.map { copies[$0] }
    let result = try await bench.succeed(.save("of-copy", on: own), on: own)
    if copied == [0, 1] {
      #expect(try own[0].state("of-copy") == state.bytes)
    } else {
      #expect(result.remarks.first?.contains("it belongs to 2 disks") == true)
    }
    for node in own { try node.writeAsGuest() }
    try await bench.succeed(.save("written", on: own), on: own)
    try await bench.succeed(.delete("live", on: own), on: own)
    #expect(try await bench.succeed(save("second"), on: nodes).remarks.isEmpty)
    #expect(try nodes[0].state("second") == state.bytes)
    try expectAgreement(nodes)
    try expectAgreement(copies)
  }

  @Test func `a disk and its copy are no two disks of a machine`() async throws {
    let disk = try bench.makeDisk("alone")
    try disk.saveAsMachine("live", state)
    try await bench.succeed(.load("live", on: [disk]), on: [disk])
    let path = bench.directory.path("twin.qcow2")
    try Command.run("cp", [disk.path, path])
    let both = [disk, Node(name: try NodeName("twin"), path: path)]
    let result = try await bench.succeed(.save("both", on: both), on: both)
    #expect(result.remarks.first?.contains("one of the disks is a copy of another") == true)
    #expect(try disk.state("both") == nil)
    #expect(try bench.hasState([disk]))
  }

  // MARK: Jobs

  @Test func `jobs that were given up do not hide what a guest has written`()
    async throws
  {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try nodes[0].writeAsGuest()
    let cancelled = try bench.start(.save("given-up", on: nodes), on: nodes, autoFinalize: false)
    _ = try await bench.runner.wait(for: cancelled, orPending: true)
    try await bench.runner.apply(.cancel, to: cancelled)
    _ = try await bench.runner.wait(for: cancelled)
    #expect(try !bench.hasState(nodes))
    try await bench.succeed(save("second"), on: nodes)
    #expect(try nodes[0].state("second") == nil)
  }

  @Test func `another catalog's jobs do not hide it either`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try nodes[0].writeAsGuest()
    let elsewhere = try Workbench()
    for catalog in [elsewhere, bench] {
      let id = try catalog.start(.save("given-up", on: nodes), on: nodes, autoFinalize: false)
      _ = try await catalog.runner.wait(for: id, orPending: true)
      try await catalog.runner.apply(.cancel, to: id)
      _ = try await catalog.runner.wait(for: id)
    }
    #expect(try !bench.hasState(nodes))
  }

  @Test(arguments: [false, true])
  func `a job that was given up leaves the state as it was`(isKilled: Bool) async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    if isKilled {
      let storage = FaultyStorage(.powerLoss(at: 5, survivors: .all))
      _ = try bench.start(save("killed"), on: nodes, access: bench.access(storage))
      while !storage.isOff { try await Task.sleep(for: .milliseconds(5)) }
      try bench.restart()
      _ = try bench.recovery.run()
    } else {
      let id = try bench.start(save("given-up"), on: nodes, autoFinalize: false)
      _ = try await bench.runner.wait(for: id, orPending: true)
      try await bench.runner.apply(.cancel, to: id)
      _ = try await bench.runner.wait(for: id)
    }
    #expect(try bench.hasState(nodes))
    try await bench.succeed(save("second"), on: nodes)
    #expect(try nodes[0].state("second") == state.bytes)
    try expectAgreement(nodes)
  }

  @Test func `a save of the disks only leaves it out, and the one after has it again`()
    async throws
  {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    var request = save("second")
    request.diskOnly = true
    #expect(try await bench.succeed(request, on: nodes).remarks.isEmpty)
    #expect(try nodes[0].state("second") == nil)
    try await bench.succeed(save("third"), on: nodes)
    #expect(try nodes[0].state("third") == state.bytes)
  }

  @Test func `the snapshot that keeps it can be replaced by the present with it`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try await bench.succeed(.save("live", on: nodes, replace: true), on: nodes)
    #expect(try tags(nodes) == [["live"], ["live"]])
    #expect(try nodes[0].state("live") == state.bytes)
    #expect(try bench.hasState(nodes))
    var diskOnly = SnapshotRequest.save("live", on: nodes, replace: true)
    diskOnly.diskOnly = true
    let result = try await bench.succeed(diskOnly, on: nodes)
    #expect(result.remarks.count == 1)
    #expect(try !bench.hasState(nodes))
    try expectAgreement(nodes)
  }

  @Test func `a tag that is complete already is success whatever the state`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try nodes[1].writeAsGuest()
    var request = SnapshotRequest.save("live", on: nodes, existOK: true)
    request.requiresState = true
    #expect(try await bench.succeed(request, on: nodes).remarks.count == 1)
  }

  @Test func `saving the present before a load keeps its state with it`() async throws {
    let other = StateBytes(count: 5000, seed: 7)
    try nodes[0].saveAsMachine("other", other)
    try QemuImg.createSnapshot("other", in: nodes[1].path)
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try await bench.succeed(.load("other", on: nodes, saveCurrent: "kept"), on: nodes)
    #expect(try nodes[0].state("kept") == state.bytes)
    try await bench.succeed(save("after"), on: nodes)
    #expect(try nodes[0].state("after") == other.bytes)
    try expectAgreement(nodes)
  }

  @Test func `a snapshot of the disks only ends it`() async throws {
    try await bench.succeed(save("disks"), on: nodes)
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try await bench.succeed(.load("disks", on: nodes), on: nodes)
    #expect(try !bench.hasState(nodes))
    #expect(try await bench.succeed(save("second"), on: nodes).remarks.isEmpty)
  }

  @Test func `disks that are not at its moment, or do not have it, leave it out`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    let part = try await bench.succeed(.save("part", on: [nodes[1]]), on: nodes)
    #expect(
      part.remarks.first?.contains("it belongs to 2 disks, and not all of them are among these")
        == true)
    // One disk goes back alone: the machine as a whole is at no moment then.
    try await bench.succeed(.load("part", on: [nodes[1]]), on: nodes)
    let mixed = try await bench.succeed(save("mixed"), on: nodes)
    #expect(mixed.remarks.first?.contains("disk1 is not at the moment that it belongs to") == true)
    #expect(try nodes[0].state("mixed") == nil)
    // Nor is it true of the one disk that has not moved.
    let alone = try await bench.succeed(.save("alone", on: [nodes[0]]), on: nodes)
    #expect(alone.remarks.first?.contains("it belongs to 2 disks") == true)
    #expect(try nodes[0].state("alone") == nil)
  }

  @Test func `a state that was loaded with one disk alone goes on with it`() async throws {
    try await bench.succeed(.load("live", on: [nodes[0]]), on: nodes)
    let both = try await bench.succeed(save("both"), on: nodes)
    #expect(both.remarks.first?.contains("disk1 is not at the moment that it belongs to") == true)
    try await bench.succeed(.save("alone", on: [nodes[0]]), on: nodes)
    #expect(try nodes[0].state("alone") == state.bytes)
  }

  @Test func `changes of single devices and bitmaps carry it on, and deletes of its keeper end it`()
    async throws
  {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    let machine = Machine(name: nil, nodes: nodes)
    let access = ImageAccess(log: bench.catalog)
    try ImageChange(
      [
        .snapshot(.take(device: "disk0", name: "x")),
        .bitmap(.add(node: "disk1", name: "b", granularity: nil, isEnabled: true)),
      ], on: machine, access: access
    ).commit()
    #expect(try bench.hasState(nodes))
    try ImageChange(
      [.snapshot(.delete(device: "disk0", id: nil, name: "live"))], on: machine, access: access
    ).commit()
    #expect(try !bench.hasState(nodes))
    let result = try await bench.succeed(save("after"), on: nodes)
    #expect(result.remarks.first?.contains("disk0: the snapshot that kept it is not there") == true)
  }

  @Test func `groups of jobs carry it on under one commit`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    let requests = [SnapshotRequest.save("a", on: [nodes[0]]), .save("b", on: [nodes[1]])]
    try bench.runner.start(
      try requests.enumerated().map { index, request in
        JobRunner.Request(
          record: try jobRecord(JobID("group\(index)"), request),
          work: SnapshotWork(
            request, machine: Machine(name: nil, nodes: nodes),
            access: ImageAccess(log: bench.catalog)))
      }, .grouped)
    for id in ["group0", "group1"] {
      #expect(try await bench.runner.wait(for: JobID(id)).error == nil)
    }
    // Neither of them has all disks that it belongs to.
    #expect(try nodes[0].state("a") == nil)
    try await bench.succeed(save("c"), on: nodes)
    #expect(try nodes[0].state("c") == state.bytes)
    try expectAgreement(nodes)
  }

  @Test func `disks under other names still have it`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    let moved = bench.directory.path("moved")
    try Command.run("mkdir", [moved])
    try Command.run("mv", [nodes[0].path, "\(moved)/other.qcow2"])
    let renamed = [Node(name: try NodeName("other"), path: "\(moved)/other.qcow2"), nodes[1]]
    try await bench.succeed(.save("second", on: renamed), on: renamed)
    #expect(try renamed[0].state("second") == state.bytes)
    try Command.run("mv", [nodes[1].path, moved])
    let all = [renamed[0], Node(name: nodes[1].name, path: "\(moved)/disk1.qcow2")]
    try await bench.succeed(.save("third", on: all), on: all)
    #expect(try all[0].state("third") == state.bytes)
  }

  @Test func `a repair is no foreign write that a later mark could hide`() async throws {
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    let access = ImageAccess(log: bench.catalog)
    _ = try access.repair(nodes[0].path, .all)
    #expect(try bench.hasState(nodes))
    try nodes[0].writeAsGuest()
    _ = try access.repair(nodes[0].path, .all)
    #expect(try !bench.hasState(nodes))
  }

  // MARK: Version 2

  @Test func `version 2 disks keep it as long as nobody writes`() async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks(options: ["cluster_size=4096", "compat=0.10"])
    try saveAsMachine(nodes)
    try await bench.succeed(.load("live", on: nodes), on: nodes)
    try await bench.succeed(.save("second", on: nodes), on: nodes)
    #expect(try nodes[0].state("second") == state.bytes)
    let id = try bench.start(.save("given-up", on: nodes), on: nodes, autoFinalize: false)
    _ = try await bench.runner.wait(for: id, orPending: true)
    try await bench.runner.apply(.cancel, to: id)
    _ = try await bench.runner.wait(for: id)
    try await bench.succeed(.delete("live", on: nodes), on: nodes)
    try await bench.succeed(.save("third", on: nodes), on: nodes)
    #expect(try nodes[0].state("third") == state.bytes)
    try nodes[0].writeAsGuest()
    let result = try await bench.succeed(.save("fourth", on: nodes), on: nodes)
    #expect(result.remarks.count == 1)
    #expect(try nodes[0].state("fourth") == nil)
    try expectAgreement(nodes)
  }
}
