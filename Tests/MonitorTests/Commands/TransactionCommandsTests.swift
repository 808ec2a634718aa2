import Jobs
import Monitor
import QMP
import Testing

@Suite struct TransactionCommandsTests {
  private let house = House()

  init() throws {
    for name in ["disk0", "disk1"] { try house.addNode(name) }
  }

  private func take(_ device: String, _ name: String) -> String {
    """
    {"type": "blockdev-snapshot-internal-sync",
     "data": {"device": "\(device)", "name": "\(name)"}}
    """
  }

  private func save(_ id: String, _ devices: String = #""disk0""#) -> String {
    """
    {"type": "snapshot-save",
     "data": {"job-id": "\(id)", "tag": "t", "vmstate": "disk0", "devices": [\(devices)]}}
    """
  }

  private let abort = #"{"type": "abort", "data": {}}"#

  private func transaction(_ actions: [String], grouped: Bool = false) -> String {
    let properties = grouped ? #", "properties": {"completion-mode": "grouped"}"# : ""
    return "{\"actions\": [\(actions.joined(separator: ", "))]\(properties)}"
  }

  private func refusal(_ actions: [String], grouped: Bool = false) async -> String? {
    await house.refusal("transaction", transaction(actions, grouped: grouped))?.desc
  }

  @Test func nothingIsDoneInNoActions() async throws {
    #expect(try await house.execute("transaction", #"{"actions": []}"#) == [:])
    #expect(house.images.changes.isEmpty)
  }

  @Test func deviceSnapshotsAreCommittedTogether() async throws {
    try await house.execute("transaction", transaction([take("disk0", "a"), take("disk1", "b")]))
    #expect(
      house.images.changes == [
        #"take(device: "disk0", name: "a")"#, #"take(device: "disk1", name: "b")"#, "commit",
      ])
  }

  @Test func anAbortUndoesWhatCameBefore() async {
    #expect(
      await refusal([take("disk0", "a"), save("j"), abort])
        == "Transaction aborted using Abort action")
    #expect(house.images.changes.last == "undo")
    #expect(house.jobs.trail.isEmpty)
  }

  @Test func theFirstActionThatCannotBeDoneIsTold() async {
    #expect(await refusal([take("no", "a"), abort]) == "no device no")
    #expect(
      await refusal([abort, take("no", "a")]) == "Transaction aborted using Abort action")
    #expect(await refusal([save("1"), abort]) == "Invalid job ID '1'")
  }

  @Test func jobsOfAGroupAreStartedTogether() async throws {
    let actions = [save("a"), save("b", #""disk1""#)]
    try await house.execute("transaction", transaction(actions, grouped: true))
    for id in ["a", "b"] { #expect(try await house.runner.wait(for: JobID(id)).error == nil) }
    #expect(house.jobs.trail.prefix(2) == ["a created", "b created"])
    #expect(
      house.jobs.trail.suffix(4) == ["b pending", "a pending", "b concluded", "a concluded"])
  }

  @Test func whenOneOfAGroupFailsTheOtherIsCancelled() async throws {
    let gate = Gate()
    house.images.work { control in
      try gate.pass(control)
      throw JobError(.noSpace, "full")
    }
    let actions = [save("a"), save("b", #""disk1""#)]
    try await house.execute("transaction", transaction(actions, grouped: true))
    gate.open()
    var errors: Set<String> = []
    for id in ["a", "b"] {
      errors.insert(try await house.runner.wait(for: JobID(id)).error?.message ?? "none")
    }
    #expect(errors.contains("full"))
    #expect(!errors.contains("none"))
  }

  @Test(
    "Refuses what a group cannot do",
    arguments: [
      (
        0,
        "Action 'blockdev-snapshot-internal-sync' does not support Transaction property "
          + "completion-mode = grouped"
      ),
      (1, "Node 'disk0' is listed twice; jobs that complete as a group change each disk once"),
      (2, "Job ID 'a' already in use"),
    ])
  func refusesGroup(index: Int, text: String) async {
    let actions = [
      [save("a"), take("disk0", "a")], [save("a"), save("b")], [save("a"), save("a")],
    ]
    #expect(await refusal(actions[index], grouped: true) == text)
    #expect(house.jobs.trail.isEmpty)
  }

  @Test func aJobIDThatIsTakenUndoesTheSnapshots() async throws {
    try await house.save("j")
    #expect(await refusal([take("disk0", "a"), save("j")]) == "Job ID 'j' already in use")
    #expect(house.images.changes.last == "undo")
  }

  @Test func snapshotsThatCannotBeCommittedLeaveNoJob() async throws {
    house.images.set { $0.commitFailure = JobError(.noSpace, "full") }
    #expect(await refusal([save("j"), take("disk0", "a")]) == "full")
    #expect(house.images.changes.suffix(1) == ["commit"])
    #expect(house.jobs.trail == ["j created", "j null"])
    #expect(try await house.execute("query-jobs") == [])
  }

  @Test func aCommitThatFailedIsNotTriedAgain() async throws {
    let house = House(busyPatience: .seconds(60))
    try house.addNode("disk0")
    house.images.set { $0.commitFailure = JobError(.inUse, "locked") }
    let arguments = transaction([save("j"), take("disk0", "a")])
    #expect(await house.refusal("transaction", arguments)?.desc == "locked")
    #expect(house.images.changes.suffix(1) == ["commit"])
    #expect(house.images.changes.count { $0 == "commit" } == 1)
  }

  @Test func aBusyMachineUndoesTheSnapshots() async throws {
    let gate = Gate()
    house.images.work { try gate.pass($0) }
    try await house.execute(
      "snapshot-save", #"{"job-id": "first", "tag": "t", "vmstate": "d", "devices": []}"#)
    #expect(await refusal([take("disk0", "a"), save("j")])?.contains("is busy") == true)
    #expect(house.images.changes.last == "undo")
    gate.open()
    _ = try await house.runner.wait(for: JobID("first"))
  }

  @Test func aRemovedSnapshotIsTheReply() async throws {
    let reply = try await house.execute(
      "blockdev-snapshot-delete-internal-sync", #"{"device": "disk0", "name": "first"}"#)
    #expect(
      reply.names == [
        "vm-clock-nsec", "name", "date-sec", "date-nsec", "vm-clock-sec", "id", "vm-state-size",
      ])
    #expect(house.images.changes.last == "commit")
  }
}
