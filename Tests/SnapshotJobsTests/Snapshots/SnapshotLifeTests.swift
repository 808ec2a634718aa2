import Jobs
import SnapshotJobs
import TestOracles
import Testing

@Suite struct SnapshotLifeTests {
  @Test(arguments: [
    ["cluster_size=4096"], ["cluster_size=512"], ["cluster_size=65536", "compat=0.10"],
    ["cluster_size=4096", "lazy_refcounts=on"], ["cluster_size=2M"],
  ])
  func `what was saved is read by qemu-img, comes back on load and goes on delete`(
    options: [String]
  ) async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks(options: options)
    let first = try digests(nodes)

    try await bench.succeed(.save("first", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == first)
    #expect(try digests(nodes, snapshot: "first") == first)

    for node in nodes { try QemuIO.run(["write -P 0x33 8k 100k"], on: node.path) }
    let second = try digests(nodes)
    #expect(second[0] != first[0] && second[1] != first[1])
    #expect(try digests(nodes, snapshot: "first") == first)
    try await bench.succeed(.save("second", on: nodes), on: nodes)
    try expectAgreement(nodes)
    for node in nodes { try QemuIO.run(["write -P 0x44 0 1M"], on: node.path) }

    try await bench.succeed(.load("first", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == first)
    #expect(try digests(nodes, snapshot: "second") == second)

    for node in nodes { try QemuIO.run(["write -P 0x55 600k 64k"], on: node.path) }
    #expect(try digests(nodes, snapshot: "first") == first)
    try await bench.succeed(.load("second", on: nodes), on: nodes)
    #expect(try digests(nodes) == second)

    try await bench.succeed(.delete("first", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try tags(nodes) == [["second"], ["second"]])
    #expect(try digests(nodes, snapshot: "second") == second)
    try await bench.succeed(.delete("second", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == second)
    #expect(try tags(nodes) == [[], []])
  }

  @Test func `qemu-img applies and deletes what snapjob saved`() async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks()
    let first = try digests(nodes)
    try await bench.succeed(.save("first", on: nodes), on: nodes)
    for node in nodes {
      try QemuIO.write(0x66, at: 0, length: 200 << 10, in: node.path)
      try QemuImg.applySnapshot("first", in: node.path)
    }
    #expect(try digests(nodes) == first)
    for node in nodes { try QemuImg.deleteSnapshot("first", in: node.path) }
    try expectAgreement(nodes)
    #expect(try digests(nodes) == first)
  }

  @Test func `snapjob loads and deletes what qemu-img saved`() async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks()
    let first = try digests(nodes)
    for node in nodes {
      try QemuImg.createSnapshot("theirs", in: node.path)
      try QemuIO.write(0x66, at: 16384, length: 200 << 10, in: node.path)
    }
    try expectAgreement(nodes)
    try await bench.succeed(.load("theirs", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == first)
    try await bench.succeed(.delete("theirs", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == first)
    #expect(try tags(nodes) == [[], []])
  }

  @Test func `the present state is saved and another loaded under one commit`() async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks()
    let old = try digests(nodes)
    try await bench.succeed(.save("old", on: nodes), on: nodes)
    for node in nodes { try QemuIO.write(0x77, at: 4096, length: 300 << 10, in: node.path) }
    let present = try digests(nodes)

    try await bench.succeed(.load("old", on: nodes, saveCurrent: "present"), on: nodes)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == old)
    #expect(try digests(nodes, snapshot: "present") == present)
    #expect(try digests(nodes, snapshot: "old") == old)

    let error = try await bench.fail(.load("old", on: nodes, saveCurrent: "present"), on: nodes)
    #expect(error.kind == .conflict)
    #expect(
      error.message
        == "Snapshot 'present' already exists in one or more devices (disk0, disk1). "
        + "Choose another tag for --save-current")
  }

  @Test func `a snapshot is replaced by the present state under one commit`() async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks()
    try await bench.succeed(.save("daily", on: nodes), on: nodes)
    for node in nodes { try QemuIO.write(0x78, at: 0, length: 300 << 10, in: node.path) }
    let present = try digests(nodes)
    try await bench.succeed(.save("daily", on: nodes, replace: true), on: nodes)
    try expectAgreement(nodes)
    #expect(try tags(nodes) == [["daily"], ["daily"]])
    #expect(try digests(nodes, snapshot: "daily") == present)
    #expect(try digests(nodes) == present)
  }

  @Test func `several tags are deleted under one commit`() async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks()
    for tag in ["a", "b", "c"] {
      try await bench.succeed(.save(tag, on: nodes), on: nodes)
      for node in nodes { try QemuIO.write(0x79, at: 4096, length: 9000, in: node.path) }
    }
    let present = try digests(nodes)
    let b = try digests(nodes, snapshot: "b")
    try QemuImg.deleteSnapshot("c", in: nodes[1].path)
    try await bench.succeed(.delete("a", on: nodes, moreTags: ["c", "absent"]), on: nodes)
    try expectAgreement(nodes)
    #expect(try tags(nodes) == [["b"], ["b"]])
    #expect(try digests(nodes) == present)
    #expect(try digests(nodes, snapshot: "b") == b)
  }

  @Test func `a snapshot of another disk size brings its size along`() async throws {
    let bench = try Workbench()
    let nodes = try bench.makeTwoDisks()
    let small = try digests(nodes)
    try await bench.succeed(.save("small", on: nodes), on: nodes)
    try QemuImg.resize(nodes[0].path, to: "9M")
    try QemuIO.write(0x7a, at: 8 << 20, length: 65536, in: nodes[0].path)
    let big = try digests(nodes)
    try await bench.succeed(.save("big", on: nodes), on: nodes)

    try await bench.succeed(.load("small", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try QemuImg.info(nodes[0].path)["virtual-size"]?.int == 1 << 20)
    #expect(try digests(nodes) == small)
    try await bench.succeed(.load("big", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try QemuImg.info(nodes[0].path)["virtual-size"]?.int == 9 << 20)
    #expect(try digests(nodes) == big)
    try await bench.succeed(.delete("small", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == big)
  }
}
