import Jobs
import Testing

@testable import SnapshotJobs

@Suite struct RetentionPolicyTests {
  private func snapshot(
    _ tag: String, on nodes: [String] = ["disk0", "disk1"], missing: [String] = []
  ) throws -> SnapshotListing {
    SnapshotListing(
      tagBytes: Array(tag.utf8), dateSeconds: 0,
      devices: try nodes.map {
        SnapshotListing.Device(
          node: try NodeName($0), id: $0, vmStateSize: 0, diskSize: 0, dateSeconds: 0,
          vmClockNanoseconds: 0)
      }, isComplete: missing.isEmpty, missingNodes: try missing.map { try NodeName($0) })
  }

  private func judge(
    _ match: String, keep: Int, _ snapshots: [SnapshotListing], foreign: [String: String] = [:]
  ) throws -> [String] {
    try RetentionPolicy(match: match, keepLast: keep)
      .verdicts(on: snapshots) { key in
        foreign[String(decoding: key.tag, as: UTF8.self)].map { $0 != "all" && $0 != key.id }
          ?? true
      }
      .map { "\($0.isKept ? "keep" : "remove") \($0.tag): \($0.reason)" }
  }

  @Test func `the newest of those that match stay`() throws {
    let snapshots = try ["n1", "x", "n2", "n3"].map { try snapshot($0) }
    #expect(
      try judge("n*", keep: 2, snapshots) == [
        "remove n1: older than the 2 newest that match", "keep x: does not match n*",
        "keep n2: one of the 2 newest that match", "keep n3: one of the 2 newest that match",
      ])
    #expect(try judge("n*", keep: 1, snapshots).last == "keep n3: the newest that matches")
    #expect(try judge("n*", keep: 9, snapshots).allSatisfy { $0.hasPrefix("keep") })
    #expect(try judge("n*", keep: 9, []) == [])
  }

  @Test func `what snapjob did not make stays and is not counted`() throws {
    let snapshots = try ["n1", "n2", "n3"].map { try snapshot($0) }
    #expect(
      try judge("*", keep: 1, snapshots, foreign: ["n3": "all", "n1": "disk1"]) == [
        "keep n1: not made by snapjob on disk1", "keep n2: the newest that matches",
        "keep n3: not made by snapjob",
      ])
  }

  @Test func `a tag that some disks lack is treated like others, and said`() throws {
    let snapshots = [
      try snapshot("n1", on: ["disk0"], missing: ["disk1"]), try snapshot("n2"),
    ]
    #expect(
      try judge("*", keep: 1, snapshots) == [
        "remove n1: older than the newest that matches; not on disk1",
        "keep n2: the newest that matches",
      ])
  }

  @Test func `two snapshots of one name stay`() throws {
    let snapshots = [try snapshot("n1", on: ["disk0", "disk0"]), try snapshot("n2")]
    #expect(
      try judge("*", keep: 1, snapshots).first
        == "keep n1: several snapshots are called so on disk0")
  }

  @Test func `a policy that would keep nothing, or says nothing, is refused`() {
    for (match, count) in [("", 1), ("*", 0), ("*", -1)] {
      let error = #expect(throws: JobError.self) {
        try RetentionPolicy(match: match, keepLast: count)
      }
      #expect(error?.kind == .usage)
    }
  }
}
