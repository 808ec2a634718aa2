import JobCatalog
import Jobs
import Qcow2
import TestOracles
import Testing

@testable import SnapshotJobs

/// Snapshots that are taken and removed without a job.
@Suite struct DeviceSnapshotTests {
  private let bench: Workbench
  private let nodes: [Node]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
  }

  private func prepare(
    _ actions: [DeviceSnapshotAction], on nodes: [Node]? = nil
  ) throws -> ImageChange {
    try ImageChange(
      actions.map(ImageAction.snapshot), on: Machine(name: nil, nodes: nodes ?? self.nodes),
      access: ImageAccess(log: bench.catalog))
  }

  private func refusal(
    _ actions: [DeviceSnapshotAction], on nodes: [Node]? = nil
  ) throws -> JobError? {
    let before = try fileDigests(self.nodes)
    var refusal: JobError?
    do {
      try prepare(actions, on: nodes).undo()
    } catch let error as JobError {
      refusal = error
    }
    #expect(try fileDigests(self.nodes) == before)
    return refusal
  }

  @Test func `snapshots of several devices are one commit without a job`() throws {
    let before = try digests(nodes)
    try prepare([
      .take(device: "disk0", name: "a"), .take(device: "disk1", name: "a"),
      .take(device: "disk0", name: "b"),
    ]).commit()
    #expect(try tags(nodes) == [["a", "b"], ["a"]])
    #expect(try digests(nodes) == before)
    #expect(try digests(nodes, snapshot: "a") == before)
    #expect(try bench.unsettledCommits().isEmpty)
    #expect(try bench.runner.jobs().isEmpty)
    try expectAgreement(nodes)
  }

  @Test func `what is undone leaves no snapshot and no lock`() throws {
    try prepare([.take(device: "disk0", name: "a")]).undo()
    #expect(try tags(nodes) == [[], []])
    try expectAgreement(nodes)
    try QemuImg.createSnapshot("a", in: nodes[0].path)
  }

  @Test func `one of two snapshots of a name is removed by its id`() throws {
    let path = nodes[0].path
    try QemuImg.createSnapshot("twin", in: path)
    try QemuIO.write(0x44, at: 0, length: 4096, in: path)
    try QemuImg.createSnapshot("twin", in: path)
    let change = try prepare([.delete(device: "disk0", id: "2", name: "twin")])
    #expect(change.removed.map(\.id) == ["2"])
    try change.commit()
    #expect(try QemuImg.info(path)["snapshots"]?.array?.map { $0["id"]?.string } == ["1"])
    try expectAgreement(nodes)
  }

  @Test func `a name alone means the first snapshot of it`() throws {
    for _ in 0..<2 { try QemuImg.createSnapshot("twin", in: nodes[0].path) }
    let change = try prepare([.delete(device: "disk0", id: nil, name: "twin")])
    #expect(change.removed.map(\.id) == ["1"])
    try change.commit()
    try expectAgreement(nodes)
  }

  @Test(
    "Refuses in QEMU's words what it refuses",
    arguments: [
      ([.take(device: "no", name: "a")], "Cannot find device='no' nor node-name='no'"),
      ([.take(device: "disk0", name: "")], "Name is empty"),
      (
        [.take(device: "disk0", name: "t"), .take(device: "disk0", name: "t")],
        "Snapshot with name 't' already exists on device 'disk0'"
      ),
      ([.delete(device: "disk0", id: nil, name: nil)], "Name or id must be provided"),
      (
        [.delete(device: "disk0", id: "7", name: nil)],
        "Snapshot with id '7' and name 'null' does not exist on device 'disk0'"
      ),
      (
        [.delete(device: "disk0", id: nil, name: "t")],
        "Snapshot with id 'null' and name 't' does not exist on device 'disk0'"
      ),
    ] as [([DeviceSnapshotAction], String)])
  func refuses(actions: [DeviceSnapshotAction], text: String) throws {
    #expect(try refusal(actions)?.message == text)
  }

  @Test func `a read-only node is left alone`() throws {
    let node = Node(name: nodes[0].name, path: nodes[0].path, isReadOnly: true)
    for action in [
      DeviceSnapshotAction.take(device: "disk0", name: "a"),
      .delete(device: "disk0", id: "1", name: nil),
    ] {
      #expect(try refusal([action], on: [node])?.message == "Device 'disk0' is read only")
    }
  }

  @Test func `the first action that cannot be done is the one that is told`() throws {
    try QemuImg.createSnapshot("t", in: nodes[0].path)
    let error = try refusal([.take(device: "disk0", name: "t"), .take(device: "no", name: "t")])
    #expect(error?.message == "Snapshot with name 't' already exists on device 'disk0'")
    let other = try refusal([.take(device: "disk0", name: "u"), .take(device: "no", name: "u")])
    #expect(other?.message == "Cannot find device='no' nor node-name='no'")
  }

  @Test func `an image that a machine holds is in use`() throws {
    let vm = try QemuVM([.init("disk0", nodes[0].path)])
    defer { vm.kill() }
    #expect(
      throws: JobError.self, performing: { try prepare([.take(device: "disk0", name: "a")]) })
  }

  @Test(
    "What a process leaves in the middle of its commit is brought to its end",
    arguments: [[], [0], [0, 1]])
  func recovers(published: [Int]) throws {
    try bench.interrupt(command: .save("a", on: nodes), on: nodes, published: published)
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try tags(nodes) == [["a"], ["a"]])
    #expect(try bench.unsettledCommits().isEmpty)
    try expectAgreement(nodes)
  }
}
