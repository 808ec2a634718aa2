import Jobs
import SnapshotJobs
import TestOracles
import Testing

/// Snapshots that pass between snapjob and a running QEMU.
@Suite(.serialized) struct LiveMachineTests {
  private let bench: Workbench
  private let nodes: [Node]
  private var disks: [QemuVM.Disk] {
    nodes.map { QemuVM.Disk($0.name.description, $0.path) }
  }

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
  }

  @Test func `a running QEMU lists and deletes what snapjob saved`() async throws {
    try await bench.succeed(.save("ours", on: nodes), on: nodes)
    try await bench.succeed(.save("kept", on: nodes), on: nodes)
    let content = try digests(nodes)
    let vm = try QemuVM(disks)
    let table = try vm.monitor("info snapshots")
    #expect(table.contains("List of snapshots present on all disks:"))
    #expect(table.contains("ours") && table.contains("kept"))
    try vm.runSnapshotJob(
      "snapshot-delete", tag: "ours", vmstate: nil, devices: ["disk0", "disk1"])
    try vm.quit()
    try expectAgreement(nodes)
    #expect(try tags(nodes) == [["kept"], ["kept"]])
    #expect(try digests(nodes) == content)
    #expect(try digests(nodes, snapshot: "kept") == content)
  }

  @Test func `a snapshot with a running guest's memory is loaded with a remark, and deleted`()
    async throws
  {
    let content = try digests(nodes)
    let vm = try QemuVM(disks)
    try vm.runSnapshotJob(
      "snapshot-save", tag: "ram", vmstate: "disk0", devices: ["disk0", "disk1"])
    try vm.quit()
    for node in nodes { try QemuIO.write(0x21, at: 0, length: 600 << 10, in: node.path) }
    try expectAgreement(nodes)
    let listing = try Machine(name: nil, nodes: nodes).snapshots()
    #expect(listing.map(\.tag) == ["ram"] && listing[0].isComplete)
    #expect((listing[0].devices.first { $0.node == nodes[0].name }?.vmStateSize ?? 0) > 1 << 16)

    let result = try await bench.succeed(.load("ram", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == content)
    #expect(
      result.remarks == [
        "disk0: the snapshot holds the memory of a running guest. Its disks are as they were then; "
          + "started normally the guest finds them as after a power cut. To resume it where it was, "
          + "start QEMU with -loadvm 'ram'."
      ])

    // The memory is still in the snapshot: QEMU resumes from it.
    let resumed = try QemuVM(disks, arguments: ["-loadvm", "ram"])
    #expect(try resumed.execute("query-status")["status"]?.string != nil)
    try resumed.quit()
    #expect(try digests(nodes, snapshot: "ram") == content)

    try await bench.succeed(.save("ours", on: nodes), on: nodes)
    try await bench.succeed(.delete("ram", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try tags(nodes) == [["ours"], ["ours"]])
    #expect(try digests(nodes, snapshot: "ours") == content)
  }

  @Test func `a snapshot that snapjob saved is loaded offline after a guest has written`()
    async throws
  {
    let content = try digests(nodes)
    try await bench.succeed(.save("ours", on: nodes), on: nodes)
    let vm = try QemuVM(
      nodes.map { QemuVM.Disk($0.name.description, $0.path, hasDevice: false) })
    for node in nodes {
      let output = try vm.monitor("qemu-io \(node.name) \"write -P 0x22 0 256k\"")
      #expect(!output.contains("onflict"), "\(output)")
    }
    // The images can be listed while the machine holds them.
    #expect(try Machine(name: nil, nodes: nodes).snapshots().map(\.tag) == ["ours"])
    try vm.quit()
    #expect(try digests(nodes) != content)
    try await bench.succeed(.load("ours", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == content)
  }
}
