import Jobs
import Monitor
import QMP
import Testing

@testable import Qcow2
@testable import SnapshotJobs

@Suite struct BitmapCommandsTests {
  private let house = House()

  init() throws {
    for name in ["disk0", "disk1"] { try house.addNode(name) }
  }

  private func clear(_ node: String, _ name: String = "b") -> String {
    #"{"type": "block-dirty-bitmap-clear", "data": {"node": "\#(node)", "name": "\#(name)"}}"#
  }

  private func save(_ id: String, _ devices: String) -> String {
    """
    {"type": "snapshot-save",
     "data": {"job-id": "\(id)", "tag": "t", "vmstate": "disk0", "devices": [\(devices)]}}
    """
  }

  private func transaction(_ actions: String..., grouped: Bool = false) -> String {
    let properties = grouped ? #", "properties": {"completion-mode": "grouped"}"# : ""
    return "{\"actions\": [\(actions.joined(separator: ", "))]\(properties)}"
  }

  @Test func eachChangeIsCommittedWhenTheCommandReturns() async throws {
    try await house.execute(
      "block-dirty-bitmap-add",
      #"{"node": "disk0", "name": "b", "granularity": 512, "persistent": true, "disabled": true}"#)
    try await house.execute("block-dirty-bitmap-remove", #"{"node": "disk0", "name": "b"}"#)
    try await house.execute(
      "block-dirty-bitmap-merge",
      #"{"node": "disk0", "target": "b", "bitmaps": ["c", {"node": "disk1", "name": "d"}]}"#)
    let changes = house.images.changes
    #expect(changes.count == 6)
    #expect(
      changes[0] == #"add(node: "disk0", name: "b", granularity: Optional(512), isEnabled: false)"#)
    #expect(changes[2] == #"remove(node: "disk0", name: "b")"#)
    #expect(changes[4].hasPrefix(#"merge(node: "disk0", target: "b""#))
    #expect(Set([changes[1], changes[3], changes[5]]) == ["commit"])
  }

  @Test func whatIsNotPersistentIsRefusedByName() async {
    for more in ["", #", "persistent": false"#] {
      let error = await house.refusal(
        "block-dirty-bitmap-add", #"{"node": "disk0", "name": "b"\#(more)}"#)
      #expect(error?.desc.contains(#""persistent": true"#) == true)
      #expect(error?.kind == "usage")
    }
    #expect(house.images.changes.isEmpty)
  }

  @Test func aChangeOnADiskOfASnapshotJobBelongsToTheJob() async throws {
    try await house.execute(
      "transaction", transaction(clear("disk0", "first"), save("a", #""disk0""#), clear("disk0")))
    _ = try await house.runner.wait(for: JobID("a"))
    let request = try #require(house.images.requests.first)
    #expect(request.earlierBitmapActions == [.clear(node: "disk0", name: "first")])
    #expect(request.laterBitmapActions == [.clear(node: "disk0", name: "b")])
    #expect(house.images.changes.isEmpty)
  }

  @Test func aChangeOnAnotherDiskIsCommittedWhenTheJobsAreCreated() async throws {
    try await house.execute("transaction", transaction(save("a", #""disk0""#), clear("disk1")))
    _ = try await house.runner.wait(for: JobID("a"))
    #expect(house.images.requests.first?.laterBitmapActions == nil)
    #expect(house.images.changes == [#"clear(node: "disk1", name: "b")"#, "commit"])
  }

  @Test func inAGroupAChangeNeedsAJobToBelongTo() async throws {
    let error = await house.refusal(
      "transaction", transaction(save("a", #""disk0""#), clear("disk1"), grouped: true))
    #expect(
      error?.desc
        == "Action 'block-dirty-bitmap-clear' does not support Transaction property "
        + "completion-mode = grouped")
    try await house.execute(
      "transaction", transaction(save("a", #""disk0""#), clear("disk0"), grouped: true))
    _ = try await house.runner.wait(for: JobID("a"))
    #expect(house.images.requests.last?.laterBitmapActions?.count == 1)
  }

  @Test func whatCannotBeDoneIsToldBeforeAJobIsMade() async {
    let error = await house.refusal(
      "transaction", transaction(save("a", #""disk0""#), clear("disk0", "none")))
    #expect(error?.desc == "no bitmap none")
    #expect(house.jobs.trail.isEmpty)
  }

  @Test func aSaveClearsBitmapsWithItsCommit() async throws {
    try await house.save(
      "s", more: #", "x-clear-bitmaps": [{"node": "disk0", "name": "daily"}]"#)
    #expect(
      house.images.requests.first?.laterBitmapActions == [.clear(node: "disk0", name: "daily")])
  }

  @Test func bitmapsAreToldInQEMUsShapeAndInOurs() async throws {
    let known = Bitmap(
      nameBytes: Array("b0".utf8), granularityBits: 16, isEnabled: true, state: .consistent)
    let lost = Bitmap(
      nameBytes: Array("b1".utf8), granularityBits: 9, isEnabled: false, state: .inUse)
    house.images.setBitmaps(
      [
        BitmapDescription(bitmap: known, dirtyByteCount: 65536, holder: nil),
        BitmapDescription(bitmap: lost, dirtyByteCount: nil, holder: nil),
      ], of: "/disk0")
    let nodes = try await house.execute("query-named-block-nodes").elements
    let node = try #require(nodes.first { $0.text("node-name") == "disk0" })
    #expect(
      node["dirty-bitmaps"] == [
        [
          "name": "b1", "recording": false, "persistent": true, "busy": false, "granularity": 512,
          "count": 0, "inconsistent": true,
        ],
        [
          "name": "b0", "recording": true, "persistent": true, "busy": false,
          "granularity": 65536, "count": 65536,
        ],
      ])
    let listed = try await house.execute("x-snapjob-bitmap-list", #"{"nodes": ["disk0"]}"#)
    #expect(listed.elements.map { $0.text("state") } == ["consistent", "inconsistent"])
    #expect(listed.elements.map { $0["dirty-bytes"] } == [65536, .null])
    let ranges = try await house.execute(
      "x-snapjob-bitmap-ranges", #"{"node": "disk0", "name": "b0"}"#)
    #expect(ranges.elements.first == ["node": "disk0", "offset": 0, "length": 65536])
    #expect(
      try await house.execute(
        "x-debug-block-dirty-bitmap-sha256", #"{"node": "disk0", "name": "b0"}"#)
        == ["sha256": "db0"])
    let repaired = try await house.execute(
      "x-snapjob-bitmap-repair", #"{"node": "disk0", "name": "b0"}"#)
    #expect(repaired == ["repaired": false])
    #expect(house.images.changes.isEmpty)
  }
}
