import Jobs
import SnapshotJobs
import TestOracles
import Testing

/// Requests whose tag does not fit what is on the images. Nothing is written then.
@Suite struct TagRefusalTests {
  private let bench: Workbench
  private let nodes: [Node]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
  }

  /// Runs a job that must fail without a single byte changed.
  private func refusal(_ request: SnapshotRequest) async throws -> JobError {
    let before = try fileDigests(nodes)
    let error = try await bench.fail(request, on: nodes)
    #expect(try fileDigests(nodes) == before)
    try expectAgreement(nodes)
    return error
  }

  @Test func `a tag on every node is a conflict for save`() async throws {
    try await bench.succeed(.save("t", on: nodes), on: nodes)
    let error = try await refusal(.save("t", on: nodes))
    #expect(error.kind == .conflict)
    #expect(
      error.message
        == "Snapshot 't' already exists in one or more devices (disk0, disk1). Choose another tag, or "
        + "take the old one out with --replace, or have nothing done with --exist-ok")
  }

  @Test func `a tag on one node is a conflict for save, with both sorts of nodes named`()
    async throws
  {
    try QemuImg.createSnapshot("t", in: nodes[1].path)
    for existOK in [false, true] {
      let error = try await refusal(.save("t", on: nodes, existOK: existOK))
      #expect(error.kind == .conflict)
      #expect(
        error.message
          == "Snapshot 't' already exists in one or more devices (disk1; not in disk0). "
          + "Choose another tag, or take the old one out with --replace")
    }
  }

  @Test func `a tag on every node is success where that is asked for, and nothing is written`()
    async throws
  {
    try await bench.succeed(.save("t", on: nodes), on: nodes)
    let before = try fileDigests(nodes)
    let result = try await bench.succeed(.save("t", on: nodes, existOK: true), on: nodes)
    #expect(result.bytesWritten == 0)
    #expect(result.remarks == ["Snapshot 't' is on every disk already; nothing was changed."])
    #expect(try fileDigests(nodes) == before)
  }

  @Test func `replacing takes the place of a tag that is on one node only`() async throws {
    try QemuImg.createSnapshot("t", in: nodes[1].path)
    try QemuIO.write(0x51, at: 0, length: 4096, in: nodes[1].path)
    let present = try digests(nodes)
    try await bench.succeed(.save("t", on: nodes, replace: true), on: nodes)
    try expectAgreement(nodes)
    #expect(try tags(nodes) == [["t"], ["t"]])
    #expect(try digests(nodes, snapshot: "t") == present)
  }

  @Test func `a tag that a node lacks is not loaded anywhere; the others' command is shown`()
    async throws
  {
    try QemuImg.createSnapshot("t", in: nodes[0].path)
    let error = try await refusal(.load("t", on: nodes))
    #expect(error.kind == .notFound)
    #expect(
      error.message
        == "Snapshot 't' does not exist in one or more devices (missing in disk1). "
        + "To load it on the others: `snapjob load --tag t --file \(nodes[0].path)`")
  }

  @Test func `a tag that no node has is not found for load`() async throws {
    let error = try await refusal(.load("t", on: nodes))
    #expect(error.kind == .notFound)
    #expect(
      error.message
        == "Snapshot 't' does not exist in one or more devices (missing in disk0, disk1)")
  }

  @Test func `a tag is never taken for another snapshot's id`() async throws {
    // On each disk the snapshot with the id 1 is "first", and "1" has the id 2.
    let first = try digests(nodes)
    try await bench.succeed(.save("first", on: nodes), on: nodes)
    for node in nodes { try QemuIO.write(0x52, at: 0, length: 128 << 10, in: node.path) }
    let second = try digests(nodes)
    try await bench.succeed(.save("1", on: nodes), on: nodes)
    for node in nodes { try QemuIO.write(0x53, at: 0, length: 256 << 10, in: node.path) }
    for node in nodes {
      let table = try QemuImg.info(node.path)["snapshots"]?.array ?? []
      #expect(table.map { $0["id"]?.string } == ["1", "2"])
      #expect(table.map { $0["name"]?.string } == ["first", "1"])
    }

    try await bench.succeed(.load("1", on: nodes), on: nodes)
    #expect(try digests(nodes) == second)
    try await bench.succeed(.delete("1", on: nodes), on: nodes)
    try expectAgreement(nodes)
    #expect(try tags(nodes) == [["first"], ["first"]])
    #expect(try digests(nodes, snapshot: "first") == first)

    // An id that is nobody's tag finds nothing.
    let error = try await refusal(.load("1", on: nodes))
    #expect(error.kind == .notFound)
  }

  @Test func `two snapshots of one name are refused and their ids shown`() async throws {
    for _ in 0..<2 { try QemuImg.createSnapshot("twin", in: nodes[1].path) }
    try QemuImg.createSnapshot("twin", in: nodes[0].path)
    for request in [
      SnapshotRequest.save("twin", on: nodes), .save("twin", on: nodes, existOK: true),
      .save("twin", on: nodes, replace: true), .load("twin", on: nodes),
      .delete("twin", on: nodes),
    ] {
      let error = try await refusal(request)
      #expect(error.kind == .conflict)
      #expect(error.message.contains("disk1: \(nodes[1].path) has 2 snapshots called 'twin'"))
      #expect(error.message.contains("(ids 1, 2)"))
    }
  }

  @Test func `deleting a tag that is nowhere is success or not found, as asked`() async throws {
    try await bench.succeed(.delete("t", on: nodes), on: nodes)
    let error = try await refusal(.delete("t", on: nodes, mustExist: true))
    #expect(error.kind == .notFound)
    #expect(
      error.message == "Snapshot 't' does not exist on any of the devices (disk0, disk1)")
  }

  @Test func `deleting takes a tag away wherever it is`() async throws {
    try QemuImg.createSnapshot("t", in: nodes[1].path)
    let untouched = try Command.sha256(ofFile: nodes[0].path)
    try await bench.succeed(.delete("t", on: nodes, mustExist: true), on: nodes)
    try expectAgreement(nodes)
    #expect(try tags(nodes) == [[], []])
    #expect(try Command.sha256(ofFile: nodes[0].path) == untouched)
  }

  @Test(arguments: [
    ("", "The tag is empty; give the snapshot a name of 1 to 255 bytes"),
    (String(repeating: "x", count: 256), "The tag is 256 bytes long; QEMU keeps 255"),
    (String(repeating: "é", count: 128), "The tag is 256 bytes long; QEMU keeps 255"),
    ("a\nb", "The tag has a control character in it; leave it out"),
    ("a\u{0}", "The tag has a control character in it; leave it out"),
    ("\u{7f}", "The tag has a control character in it; leave it out"),
    ("\u{9b}1m", "The tag has a control character in it; leave it out"),
  ])
  func `tags that QEMU would change or that no terminal shows are refused`(
    tag: String, text: String
  ) async throws {
    for request in [
      SnapshotRequest.save(tag, on: nodes), .load(tag, on: nodes), .delete(tag, on: nodes),
      .delete("fine", on: nodes, moreTags: [tag]), .load("fine", on: nodes, saveCurrent: tag),
    ] {
      let error = try await bench.fail(request, on: nodes)
      #expect(error == JobError(.usage, text))
    }
  }

  @Test func `the longest tag and one of spaces and signs are kept byte for byte`() async throws {
    for tag in [String(repeating: "é", count: 127) + "x", " a 'b' \"c\" /?*$ — ünï "] {
      try await bench.succeed(.save(tag, on: nodes), on: nodes)
      #expect(try tags(nodes) == [[tag], [tag]])
      try await bench.succeed(.load(tag, on: nodes), on: nodes)
      try await bench.succeed(.delete(tag, on: nodes, mustExist: true), on: nodes)
    }
  }

  @Test func `the state to keep needs a tag of its own`() async throws {
    let error = try await bench.fail(.load("t", on: nodes, saveCurrent: "t"), on: nodes)
    #expect(error.kind == .usage)
  }

  @Test func `the result of a delete names the tags that were there`() async throws {
    try QemuImg.createSnapshot("a", in: nodes[0].path)
    try QemuImg.createSnapshot("c", in: nodes[1].path)
    let result = try await bench.succeed(
      .delete("a", on: nodes, moreTags: ["b", "c"]), on: nodes)
    #expect(result.deletedTags == ["a", "c"])
    #expect(try await bench.succeed(.delete("a", on: nodes), on: nodes).deletedTags == [])
    #expect(try await bench.succeed(.save("a", on: nodes), on: nodes).deletedTags == nil)
  }
}
