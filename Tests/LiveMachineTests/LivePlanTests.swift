import Jobs
import QMP
import SnapshotJobs
import Testing

@testable import LiveMachine

/// What is looked at before QEMU is asked for anything.
@Suite struct LivePlanTests {
  private static func disk(
    _ name: String, driver: String = "qcow2", _ snapshots: [LiveDisk.Snapshot] = [],
    isFlash: Bool = false, bitmaps: [String] = []
  ) -> LiveDisk {
    LiveDisk(
      node: "#block-\(name)", label: name, path: "/nowhere/\(name)", driver: driver,
      isFlash: isFlash, isAttached: true, bitmaps: bitmaps, snapshots: snapshots)
  }

  private static func snapshot(_ id: String, _ name: String, memory: Int64 = 0) -> LiveDisk.Snapshot
  {
    LiveDisk.Snapshot(id: id, name: name, vmStateSize: memory)
  }

  private static func machine(_ names: String...) throws -> Machine {
    Machine(
      name: "vm1",
      nodes: try names.map { Node(name: try NodeName($0), path: "/nowhere/\($0)") })
  }

  private static func request(
    _ operation: SnapshotRequest.Operation, _ tag: String, _ devices: [String] = ["a", "b"]
  ) -> SnapshotRequest {
    SnapshotRequest(
      operation: operation, tag: tag, devices: devices,
      vmstate: operation == .delete ? nil : devices[0])
  }

  private static func refusal(
    _ request: SnapshotRequest, _ disks: [LiveDisk]
  ) throws -> JobError {
    try #require(
      throws: JobError.self,
      performing: { _ = try LivePlan(request, machine: machine("a", "b"), disks: disks) })
  }

  @Test func `a save names the nodes as they are called in this boot`() throws {
    let plan = try LivePlan(
      Self.request(.save, "t"), machine: Self.machine("a", "b"),
      disks: [Self.disk("b"), Self.disk("a")])
    #expect(plan.members.map(\.disk.node) == ["#block-a", "#block-b"])
    #expect(plan.vmstate?.disk.node == "#block-a")
  }

  @Test func `changes of bitmaps, which QEMU cannot make in the same step, are refused`() throws {
    var request = Self.request(.save, "t")
    request.laterBitmapActions = [.clear(node: "a", name: "daily")]
    let error = try Self.refusal(request, [Self.disk("a"), Self.disk("b")])
    #expect(error.kind == .refused)
    #expect(error.message.contains("dirty bitmaps in one step"))
  }

  @Test func `a writable disk that is not registered stops save and load by name`() throws {
    for operation in [SnapshotRequest.Operation.save, .load] {
      let raw = try Self.refusal(
        Self.request(operation, "t"),
        [Self.disk("a"), Self.disk("b"), Self.disk("swap", driver: "raw")])
      #expect(raw.kind == .refused)
      #expect(raw.message.contains("swap (/nowhere/swap, raw)"))
      #expect(raw.message.contains("snapjob machine set vm1 --exclude swap"))
      let new = try Self.refusal(
        Self.request(operation, "t"), [Self.disk("a"), Self.disk("b"), Self.disk("new")])
      #expect(new.kind == .conflict)
      #expect(new.message.contains("snapjob -m vm1 node add new /nowhere/new"))
    }
  }

  @Test func `raw firmware variables are left out with a line of notice`() throws {
    let plan = try LivePlan(
      Self.request(.save, "t"), machine: Self.machine("a", "b"),
      disks: [Self.disk("a"), Self.disk("b"), Self.disk("pflash0", driver: "raw", isFlash: true)])
    #expect(plan.remarks.count == 1 && plan.remarks[0].contains("pflash0"))
  }

  @Test func `a node that the machine has no more is an error`() throws {
    let gone = try Self.refusal(Self.request(.delete, "t"), [Self.disk("a")])
    #expect(gone.kind == .notFound && gone.message.contains("/nowhere/b"))
  }

  @Test func `a save is refused where the tag is on any disk, or is another snapshot's id`() throws
  {
    let partial = try Self.refusal(
      Self.request(.save, "t"), [Self.disk("a", [Self.snapshot("1", "t")]), Self.disk("b")])
    #expect(partial.kind == .conflict && partial.message.contains("on a, and not on b"))
    let id = try Self.refusal(
      Self.request(.save, "1"), [Self.disk("a", [Self.snapshot("1", "t")]), Self.disk("b")])
    #expect(id.kind == .conflict && id.message.contains("'1' is the id of snapshot 't'"))
    var request = Self.request(.save, "t")
    request.existOK = true
    let both = [
      Self.disk("a", [Self.snapshot("1", "t")]), Self.disk("b", [Self.snapshot("1", "t")]),
    ]
    let plan = try LivePlan(request, machine: Self.machine("a", "b"), disks: both)
    #expect(plan.isDone)
  }

  @Test func `a load is refused for what QEMU would stop the machine for`() throws {
    let memory = Self.snapshot("1", "t", memory: 5)
    let plain = Self.snapshot("1", "t")
    let missing = try Self.refusal(
      Self.request(.load, "t"), [Self.disk("a", [memory]), Self.disk("b")])
    #expect(missing.kind == .notFound && missing.message.contains("on b"))
    let diskOnly = try Self.refusal(
      Self.request(.load, "t"), [Self.disk("a", [plain]), Self.disk("b", [plain])])
    #expect(diskOnly.kind == .refused && diskOnly.message.contains("disk-only"))
    let bitmap = try Self.refusal(
      Self.request(.load, "t"),
      [Self.disk("a", [memory]), Self.disk("b", [plain], bitmaps: ["backup0"])])
    #expect(bitmap.kind == .conflict && bitmap.message.contains("backup0"))
    let twins = try Self.refusal(
      Self.request(.load, "t"),
      [Self.disk("a", [memory, Self.snapshot("2", "t")]), Self.disk("b", [plain])])
    #expect(twins.kind == .conflict && twins.message.contains("ids 1, 2"))
  }

  @Test func `a load takes the memory from the node that has it`() throws {
    let plan = try LivePlan(
      Self.request(.load, "t"), machine: Self.machine("a", "b"),
      disks: [
        Self.disk("a", [Self.snapshot("1", "t")]),
        Self.disk("b", [Self.snapshot("1", "t", memory: 9)]),
      ])
    #expect(plan.vmstate?.node.name.description == "b")
  }

  @Test func `tags are compared byte by byte, as QEMU does`() throws {
    let composed = "caf\u{e9}"
    let decomposed = "cafe\u{301}"
    let disks = ["a", "b"].map { Self.disk($0, [Self.snapshot("1", composed, memory: 1)]) }
    #expect(try Self.refusal(Self.request(.load, decomposed), disks).kind == .notFound)
    let plan = try LivePlan(
      Self.request(.save, decomposed), machine: Self.machine("a", "b"), disks: disks)
    #expect(!plan.isDone)
  }

  @Test func `a delete takes a tag away wherever it is`() throws {
    var request = Self.request(.delete, "t")
    request.moreTags = ["u", "none"]
    let disks = [
      Self.disk("a", [Self.snapshot("1", "t")]), Self.disk("b", [Self.snapshot("1", "u")]),
    ]
    let plan = try LivePlan(request, machine: Self.machine("a", "b"), disks: disks)
    #expect(plan.tags == ["t", "u"])
    request.mustExist = true
    #expect(try Self.refusal(request, disks).kind == .notFound)
  }
}
