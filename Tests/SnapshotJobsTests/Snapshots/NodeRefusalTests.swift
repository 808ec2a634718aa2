import Jobs
import SnapshotJobs
import TestOracles
import Testing

/// Requests whose nodes or files are not what they should be.
@Suite struct NodeRefusalTests {
  private let bench: Workbench
  private let nodes: [Node]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
  }

  private var requests: [SnapshotRequest] {
    [.save("t", on: nodes), .load("t", on: nodes), .delete("t", on: nodes)]
  }

  @Test func `an empty list of devices is refused in QEMU's words`() async throws {
    for var request in requests {
      request.devices = []
      let error = try await bench.fail(request, on: nodes)
      #expect(error == JobError(.usage, "At least one device is required for snapshot"))
    }
  }

  @Test func `an unknown node is refused in QEMU's words`() async throws {
    for var request in requests {
      request.devices.append("disk9")
      let error = try await bench.fail(request, on: nodes)
      #expect(
        error == JobError(.notFound, "No block device node 'disk9'. There are: disk0, disk1"))
    }
  }

  @Test func `a node that is listed twice is refused`() async throws {
    for var request in requests {
      request.devices.append("disk0")
      let error = try await bench.fail(request, on: nodes)
      #expect(error == JobError(.usage, "Node 'disk0' is listed twice"))
    }
    #expect(try tags(nodes) == [[], []])
  }

  @Test func `a read-only node is refused in QEMU's words`() async throws {
    let readOnly = Node(name: nodes[1].name, path: nodes[1].path, isReadOnly: true)
    for request in requests {
      let error = try await bench.fail(request, on: [nodes[0], readOnly])
      #expect(
        error == JobError(.refused, "Device 'disk1' is writable but does not support snapshots"))
    }
  }

  @Test func `a vmstate node outside of the devices is refused in QEMU's words`() async throws {
    for operation in [SnapshotRequest.Operation.save, .load] {
      let request = SnapshotRequest(
        operation: operation, tag: "t", devices: ["disk0"], vmstate: "disk1")
      let error = try await bench.fail(request, on: nodes)
      #expect(
        error
          == JobError(
            .notFound, "vmstate block device 'disk1' does not exist. There are: disk0, disk1"))
    }
  }

  @Test(arguments: ["", "-s", "plain"])
  func `two nodes on one file are a conflict, whatever the paths`(link: String) async throws {
    var other = nodes[0].path
    if link != "plain" {
      other = bench.directory.path("link")
      try Command.run("ln", (link.isEmpty ? [] : [link]) + [nodes[0].path, other])
    }
    let twin = Node(name: try NodeName("twin"), path: other)
    let set = [nodes[0], nodes[1], twin]
    let error = try await bench.fail(.save("t", on: set), on: set)
    #expect(error.kind == .conflict)
    #expect(error.message.contains("'disk0'") && error.message.contains("'twin'"))
    #expect(error.message.contains("are the same file"))
    #expect(try tags(nodes) == [[], []])
    try expectAgreement(nodes)
  }

  @Test func `an image that a running QEMU holds is in use, and the machine is named`()
    async throws
  {
    let vm = try QemuVM([QemuVM.Disk("drive", nodes[1].path)], name: "web01")
    let before = try fileDigests(nodes)
    for request in requests {
      let error = try await bench.fail(request, on: nodes)
      #expect(error.kind == .inUse)
      #expect(error.message.hasPrefix("disk1: \(nodes[1].path) is in use by "))
      #expect(error.message.contains("(pid \(vm.process.pid), -name web01)"))
    }
    #expect(try Machine(name: nil, nodes: nodes).snapshots().isEmpty)
    try vm.quit()
    #expect(try fileDigests(nodes) == before)
    try await bench.succeed(.save("t", on: nodes), on: nodes)
    try expectAgreement(nodes)
  }

  @Test func `an image that has vanished is not found`() async throws {
    try Command.run("mv", [nodes[1].path, bench.directory.path("elsewhere")])
    for request in requests {
      let error = try await bench.fail(request, on: nodes)
      #expect(error.kind == .notFound)
      #expect(error.message.hasPrefix("disk1: \(nodes[1].path)"))
    }
  }

  @Test(arguments: ["raw", "empty", "directory", "fifo", "truncated"])
  func `what has taken an image's place is refused if it is no whole qcow2 image`(
    kind: String
  ) async throws {
    let path = nodes[1].path
    switch kind {
    case "raw": try Command.run("sh", ["-c", "head -c 65536 /dev/urandom > \"$1\"", "sh", path])
    case "empty": try Command.run("truncate", ["-s", "0", path])
    case "truncated": try Command.run("truncate", ["-s", "300", path])
    default:
      try Command.run("rm", [path])
      try Command.run(kind == "fifo" ? "mkfifo" : "mkdir", [path])
    }
    let other = try Command.sha256(ofFile: nodes[0].path)
    // Without its end an image still has its header: only what needs the rest of it fails.
    for request in kind == "truncated" ? [requests[0]] : requests {
      let error = try await bench.fail(request, on: nodes)
      #expect(error.kind == .refused)
      #expect(error.message.hasPrefix("disk1: \(path)"))
    }
    #expect(try Command.sha256(ofFile: nodes[0].path) == other)
  }

  @Test func `an image that is replaced while its job waits for finalize is not committed`()
    async throws
  {
    let before = try digests(nodes)
    let id = try bench.start(.save("t", on: nodes), on: nodes, autoFinalize: false)
    #expect(try await bench.runner.wait(for: id, orPending: true).status == .pending)
    let moved = bench.directory.path("moved.qcow2")
    try Command.run("mv", [nodes[1].path, moved])
    try QemuImg.create(nodes[1].path, size: "1M")

    try await bench.runner.apply(.finalize, to: id)
    let record = try await bench.runner.wait(for: id)
    #expect(record.status == .concluded)
    #expect(record.error?.kind == .conflict)
    #expect(record.error?.message.contains(nodes[1].path) == true)
    #expect(try tags(nodes) == [[], []])
    let original = [nodes[0], Node(name: nodes[1].name, path: moved)]
    try expectAgreement(original)
    #expect(try digests(original) == before)
    #expect(try bench.unsettledCommits().isEmpty)
  }
}
