import Jobs
import Monitor
import QMP
import Testing

@testable import Qcow2
@testable import SnapshotJobs

@Suite struct SnapshotCommandsTests {
  @Test func passesEveryMemberOnToTheJob() async throws {
    let house = House()
    try await house.execute(
      "snapshot-save",
      """
      {"job-id": "s", "tag": "t", "vmstate": "disk0", "devices": ["disk0", "disk1"],
       "x-disk-only": true, "x-exist-ok": true, "x-replace": true}
      """)
    _ = try await house.runner.wait(for: JobID("s"))
    try await house.execute(
      "snapshot-load",
      #"{"job-id": "l", "tag": "t", "vmstate": "disk0", "devices": [], "x-save-current": "u"}"#)
    _ = try await house.runner.wait(for: JobID("l"))
    try await house.execute(
      "snapshot-delete",
      """
      {"job-id": "d", "tag": "t", "devices": ["disk0"], "x-more-tags": ["v"],
       "x-must-exist": true}
      """)
    _ = try await house.runner.wait(for: JobID("d"))

    var save = SnapshotRequest(
      operation: .save, tag: "t", devices: ["disk0", "disk1"], vmstate: "disk0")
    save.diskOnly = true
    save.existOK = true
    save.replace = true
    var load = SnapshotRequest(operation: .load, tag: "t", devices: [], vmstate: "disk0")
    load.saveCurrent = "u"
    var delete = SnapshotRequest(operation: .delete, tag: "t", devices: ["disk0"], vmstate: nil)
    delete.moreTags = ["v"]
    delete.mustExist = true
    #expect(house.images.requests == [save, load, delete])
  }

  @Test func onlyTheNameOfTheJobIsCheckedAtOnce() async throws {
    let house = House()
    house.images.work { _ in throw JobError(.notFound, "No block device node 'nope'") }
    #expect(
      await house.refusal(
        "snapshot-save", #"{"job-id": "1x", "tag": "t", "vmstate": "d", "devices": []}"#)?.desc
        == "Invalid job ID '1x'")
    #expect(try house.jobs.jobs().isEmpty)
    let record = try await house.save("j")
    #expect(record.error == JobError(.notFound, "No block device node 'nope'"))
    #expect(
      await house.refusal(
        "snapshot-save", #"{"job-id": "j", "tag": "t", "vmstate": "d", "devices": []}"#)
        == QMPError(.genericError, "Job ID 'j' already in use", kind: "conflict"))
  }

  @Test func keepsTheOptionsOfTheJob() async throws {
    let house = House()
    let plain = try await house.save("a")
    #expect(plain.autoFinalize)
    #expect(!plain.autoDismiss)
    #expect(plain.note == nil)
    #expect(plain.subject == "default")
    try await house.execute(
      "snapshot-save",
      """
      {"job-id": "b", "tag": "t", "vmstate": "disk0", "devices": [],
       "x-auto-finalize": false, "x-note": "why"}
      """)
    let pending = try await house.runner.wait(for: JobID("b"), orPending: true)
    #expect(pending.status == .pending)
    #expect(pending.note == "why")
    try await house.execute("job-finalize", #"{"id": "b"}"#)
    #expect(try await house.runner.wait(for: JobID("b")).status == .concluded)
    try await house.save("c", more: #", "x-auto-dismiss": true"#)
    // It is concluded first, and forgotten then.
    while try house.jobs.job(JobID("c")) != nil { try await Task.sleep(for: .milliseconds(1)) }
  }

  @Test func anUnknownMachineIsNotFound() async {
    let error = await House(.stored("web01")).refusal(
      "snapshot-save", #"{"job-id": "j", "tag": "t", "vmstate": "d", "devices": []}"#)
    #expect(error?.kind == "notFound")
  }

  @Test func aBusyMachineIsAnErrorAtOnceOrWaitedFor() async throws {
    let gate = Gate()
    let told = Notes()
    let house = House(busyPatience: .seconds(60), onWait: { told.add($0) })
    let impatient = Monitor(
      target: .stored("default"),
      services: MonitorServices(
        runner: house.runner, machines: house.machines, makers: house.makers,
        history: house.jobs,
        catalog: house.catalog, images: house.images,
        recovery: Recovery(log: MemoryCommits(), runner: house.runner), version: ""))
    house.images.work { try gate.pass($0) }
    try await house.execute(
      "snapshot-save", #"{"job-id": "first", "tag": "t", "vmstate": "d", "devices": []}"#)
    house.images.work { _ in }
    let arguments = try QMPValue(
      parsing: #"{"job-id": "x", "tag": "t", "vmstate": "d", "devices": []}"#)
    await #expect(
      throws: QMPError(
        .genericError, "machine 'default' is busy with job 'first'", kind: "inUse")
    ) {
      try await impatient.execute("snapshot-save", arguments)
    }
    async let second = house.save("second")
    while told.all.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
    #expect(told.all == ["machine 'default' is busy with job 'first'"])
    gate.open()
    #expect(try await second.error == nil)
  }

  @Test func plansWithTheArgumentsOfTheRealCommand() async throws {
    let house = House()
    let plan = try await house.execute(
      "x-snapjob-plan",
      """
      {"command": "snapshot-delete",
       "arguments": {"job-id": "j", "tag": "t", "devices": ["a", "b"]}}
      """)
    #expect(
      plan.elements.first?.jsonText
        == """
        {"node": "a", "filename": "/a", "action": "nothing", "bytes-to-write": 512, \
        "bytes-to-free": 64}
        """)
    #expect(plan.elements.count == 2)
    #expect(
      await house.refusal(
        "x-snapjob-plan", #"{"command": "snapshot-save", "arguments": {"job-id": "j"}}"#)?.desc
        == "Parameter 'tag' is missing")
    #expect(
      await house.refusal("x-snapjob-plan", #"{"command": "snapshot-save", "arguments": 3}"#)?.desc
        == "QMP input member 'arguments' must be an object")
    #expect(
      try await house.execute("x-snapjob-bytes-at-risk", #"{"tag": "t", "devices": ["a"]}"#)
        == ["machine": "default", "devices": 1, "bytes": 1024])
  }

  @Test func listsSnapshotsWithTheJobsThatMadeThem() async throws {
    let house = House()
    let device = SnapshotListing.Device(
      node: try NodeName("disk0"), id: "1", vmStateSize: 0, diskSize: 65_536,
      dateSeconds: 1_700_000_000, vmClockNanoseconds: 0)
    let listings = ["other", "clean"].map {
      SnapshotListing(
        tagBytes: Array($0.utf8), dateSeconds: 1_700_000_000, devices: [device], isComplete: true)
    }
    house.images.set { state in state.listings = listings }
    house.makers.add(
      listings[1].key(of: device), SnapshotMaker(sequence: 1, job: try JobID("new"), note: "new"))
    let list = try await house.execute("x-snapjob-list")
    #expect(
      list.elements.map(\.jsonText) == [
        """
        {"machine": "default", "tag": "clean", "date": "2023-11-14T22:13:20Z", "note": "new", \
        "job": "new", "devices": [{"node": "disk0", "id": "1", "vm-state-size": 0, \
        "disk-size": 65536}], "complete": true}
        """,
        """
        {"machine": "default", "tag": "other", "date": "2023-11-14T22:13:20Z", \
        "devices": [{"node": "disk0", "id": "1", "vm-state-size": 0, "disk-size": 65536}], \
        "complete": true}
        """,
      ])
    let survey = try await house.execute("x-snapjob-survey")
    #expect(survey["snapshots"] == list)
    #expect(survey["failures"] == [])
    try house.machines.addMachine(named: "web01")
    let all = try await house.execute("x-snapjob-list", #"{"all-machines": true}"#)
    #expect(all.elements.compactMap { $0.text("machine") }.contains("web01"))
  }

  @Test func listsTheRoomOfSnapshotsAndTheDisksThatLackThem() async throws {
    let house = House()
    var space = SnapshotSpace()
    space.used = 5
    space.referenced = 7
    let device = SnapshotListing.Device(
      node: try NodeName("disk0"), id: "1", vmStateSize: 0, diskSize: 512, dateSeconds: 0,
      vmClockNanoseconds: 0, space: space)
    let listing = SnapshotListing(
      tagBytes: Array("t".utf8), dateSeconds: 0, devices: [device, device], isComplete: false,
      missingNodes: [try NodeName("disk1")])
    house.images.set { $0.listingsWithSpace = [listing] }
    let list = try await house.execute("x-snapjob-list", #"{"sizes": true}"#)
    let deviceText =
      #"{"node": "disk0", "id": "1", "vm-state-size": 0, "disk-size": 512, "#
      + #""used": 5, "referenced": 7}"#
    #expect(
      list.elements.map(\.jsonText) == [
        """
        {"machine": "default", "tag": "t", "date": "1970-01-01T00:00:00Z", "devices": \
        [\(deviceText), \(deviceText)], "complete": false, "missing": ["disk1"], "used": 10, \
        "referenced": 14}
        """
      ])
  }

  @Test func tellsWhereDisksDiffer() async throws {
    let house = House()
    #expect(
      try await house.execute("x-snapjob-diff", #"{"from": "a", "devices": ["d", "e"]}"#)
        == [
          ["node": "d", "offset": 0, "length": 512], ["node": "d", "offset": 1024, "length": 512],
          ["node": "e", "offset": 0, "length": 512], ["node": "e", "offset": 1024, "length": 512],
        ])
    #expect(try await house.execute("x-snapjob-diff", #"{"from": "a", "to": "b"}"#) == [])
    #expect(await house.refusal("x-snapjob-diff", #"{"from": "b"}"#)?.kind == "notFound")
  }

  @Test func plansToRemoveOnlyWhatItsOwnJobsHaveMade() async throws {
    let house = House()
    var listings: [SnapshotListing] = []
    // The clock ran ahead when n2 was taken.
    for (number, seconds) in [10, 99, 20, 30].enumerated() {
      let device = SnapshotListing.Device(
        node: try NodeName("disk0"), id: "\(number)", vmStateSize: 0, diskSize: 512,
        dateSeconds: Int64(seconds), vmClockNanoseconds: 0)
      let listing = SnapshotListing(
        tagBytes: Array("n\(number + 1)".utf8), dateSeconds: Int64(seconds), devices: [device],
        isComplete: true)
      listings.append(listing)
      if number == 2 { continue }
      house.makers.add(listing.key(of: device), SnapshotMaker(sequence: Int64(number)))
    }
    let all = listings
    house.images.set { $0.listings = all }
    let plan = try await house.execute(
      "x-snapjob-prune-plan", #"{"match": "n*", "keep-last": 1, "devices": ["disk0"]}"#)
    #expect(
      plan == [
        ["tag": "n1", "action": "remove", "reason": "older than the newest that matches"],
        ["tag": "n3", "action": "keep", "reason": "not made by snapjob"],
        ["tag": "n2", "action": "remove", "reason": "older than the newest that matches"],
        ["tag": "n4", "action": "keep", "reason": "the newest that matches"],
      ])
    for arguments in [#"{"match": "", "keep-last": 1}"#, #"{"match": "*", "keep-last": 0}"#] {
      #expect(await house.refusal("x-snapjob-prune-plan", arguments)?.kind == "usage")
    }
  }
}
