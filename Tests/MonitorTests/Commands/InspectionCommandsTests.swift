import Jobs
import QMP
import Testing

@testable import Qcow2
@testable import SnapshotJobs

@Suite struct InspectionCommandsTests {
  @Test func checksAllNodesOrNamedTargets() async throws {
    let house = House()
    try house.addNode("disk0")
    try house.addNode("disk1")
    var leaky = CheckReport()
    leaky.leaks = 3
    leaky.messages = ["3 clusters leak"]
    let report = leaky
    house.images.set { state in
      state.checks["/disk1"] = .success(report)
      state.checks["/other"] = .failure(.notQcow2("no qcow2 image"))
      state.checks["/gone"] = .failure(.notFound("no such file"))
    }
    let all = try await house.execute("x-snapjob-check").elements
    #expect(all.compactMap { $0.text("target") } == ["disk0", "disk1"])
    #expect(all.map { $0["result"]?["exit-code"] } == [0, 3])
    #expect(all[1]["result"]?["leaks"] == 3)
    #expect(all[1]["result"]?["messages"] == ["3 clusters leak"])
    let named = try await house.execute(
      "x-snapjob-check", #"{"targets": ["/other", "disk1", "/gone"]}"#
    ).elements
    #expect(named.compactMap { $0.text("filename") } == ["/other", "/disk1", "/gone"])
    #expect(named.map { $0["result"]?["exit-code"] } == [63, 3, 1])
    #expect(named[2]["result"]?["messages"] == ["no such file"])
    // What is nowhere hides nothing else.
    let partly = try await house.execute(
      "x-snapjob-check", #"{"targets": ["nowhere", "disk1"]}"#
    ).elements
    #expect(partly.map { $0["result"]?["exit-code"] } == [1, 3])
    #expect(
      partly[0]["result"]?["messages"]
        == ["'nowhere' is neither a node of the machine nor a file here"])
  }

  @Test func repairsWhatIsNamed() async throws {
    let house = House()
    try house.addNode("disk0")
    try house.addNode("disk1")
    let mended = try await house.execute(
      "x-snapjob-check", #"{"targets": ["disk1"], "repair": "all"}"#
    ).elements
    #expect(mended.map { $0["result"]?["corruptions-fixed"] } == [0])
    _ = try await house.execute("x-snapjob-check")
    #expect(house.images.repairs == ["/disk1": .all])
    #expect(await house.refusal("x-snapjob-check", #"{"repair": "some"}"#) != nil)
  }

  @Test func verifiesWithTheSecondReader() async throws {
    let house = House()
    try house.addNode("disk0")
    var different = VerifyReport(path: "/disk0")
    different.bytesEqual = 4_096
    different.differences = [512..<1_024]
    different.leftOut = ["zero clusters": 2]
    different.backingFileName = "base"
    different.structureProblems = ["a table lies on a table"]
    var content = StateReport(size: 8_192)
    content.bytesRead = 7_000
    content.bytesFromBackingFile = 100
    content.bytesEncrypted = 92
    content.vmStateBytesRead = 12
    content.problems = [ContentProblem(range: 0..<1_000, text: "lost")]
    content.problemCount = 5
    different.states = [.init(tag: "t", id: "1", content: content)]
    let report = different
    house.images.set { state in
      state.verifications["/disk0"] = .success(report)
      state.verifications["/held"] = .failure(JobError(.inUse, "held"))
    }
    let reports = try await house.execute(
      "x-snapjob-verify", #"{"targets": ["disk0", "/held"], "tag": "t"}"#
    ).elements
    #expect(
      reports[0].jsonText
        == """
        {"target": "disk0", "filename": "/disk0", "states": [{"tag": "t", "id": "1", "size": 8192, \
        "digest": null, "bytes-read": 7000, "bytes-from-backing-file": 100, \
        "backing-file": "base", "bytes-encrypted": 92, "vm-state-bytes-read": 12, \
        "problem-count": 5, "problems": [{"offset": 0, "length": 1000, "text": "lost"}], \
        "device-state-problem": null}], \
        "structure-problems": ["a table lies on a table"], "bytes-equal": 4096, "differences": \
        [{"offset": 512, "length": 512}], "left-out": {"zero clusters": 2}, \
        "second-reader": "toyreader 1", "exit-code": 2}
        """)
    #expect(reports[1]["exit-code"] == 6)
    #expect(reports[1].text("problem") == "held")
    #expect(house.images.verifiedTags == ["t", "t"])
  }

  @Test("Damage of a state alone is 2, and a sound state is 0 with its digest")
  func verifiesStates() async throws {
    let house = House()
    var content = StateReport(size: 512)
    content.digest = "ab"
    var sound = VerifyReport(path: "/sound")
    sound.states = [.init(tag: nil, id: nil, content: content)]
    content.problemCount = 1
    var damaged = VerifyReport(path: "/damaged")
    damaged.states = [.init(tag: nil, id: nil, content: content)]
    let both = (sound, damaged)
    house.images.set { state in
      state.verifications["/sound"] = .success(both.0)
      state.verifications["/damaged"] = .success(both.1)
    }
    let reports = try await house.execute(
      "x-snapjob-verify", #"{"targets": ["/sound", "/damaged"]}"#
    ).elements
    #expect(reports.map { $0["exit-code"] } == [0, 2])
    #expect(reports[0]["states"]?.elements.first?["tag"] == .null)
    #expect(reports[0]["states"]?.elements.first?["digest"] == "ab")
    #expect(house.images.verifiedTags == [nil, nil])
  }

  @Test func takesCareOfTheCatalog() async throws {
    let house = House()
    #expect(
      try await house.execute("x-snapjob-catalog", #"{"action": "path"}"#)
        == ["path": "/catalog.sqlite"])
    #expect(
      try await house.execute("x-snapjob-catalog", #"{"action": "check"}"#)
        == ["path": "/catalog.sqlite", "problems": ["a row is missing"]])
    try await house.execute("x-snapjob-catalog", #"{"action": "backup", "filename": "/b"}"#)
    #expect(house.catalog.backups == ["/b"])
    #expect(
      await house.refusal("x-snapjob-catalog", #"{"action": "backup"}"#)
        == QMPError(.genericError, "Parameter 'filename' is missing", kind: "usage"))
    #expect(
      try await house.execute("x-snapjob-catalog", #"{"action": "prune"}"#)
        == ["path": "/catalog.sqlite", "dismissed": 2, "deleted": 3])
  }

  @Test func recoversJobsWhoseProcessHasEnded() async throws {
    let house = House()
    var record = JobRecord(
      id: try JobID("orphan"), type: "snapshot-save", subject: "default", autoFinalize: true,
      autoDismiss: false, note: nil, arguments: "{}", created: .now())
    record.status = .running
    record.worker = WorkerInfo(id: 9, pid: 9, uid: 9, isAlive: false)
    house.jobs.leave(record)
    let dry = try await house.execute("x-snapjob-recover", #"{"dry-run": true}"#).elements
    #expect(dry.first?["jobs"] == ["orphan"])
    #expect(try house.jobs.job(record.id)?.status == .running)
    let findings = try await house.execute("x-snapjob-recover", #"{"id": "orphan"}"#).elements
    #expect(findings.first?["resolved"] == true)
    #expect(try house.jobs.job(record.id)?.status == .concluded)
    #expect(try await house.execute("x-snapjob-recover") == [])
  }

  @Test(
    "A commit whose image is missing waits for it, and forcing it forward changes nothing",
    arguments: ["{}", #"{"force": "forward"}"#, #"{"dry-run": true}"#, #"{"id": "left"}"#])
  func waitsForAnImage(arguments: String) async throws {
    let job = try JobID("left")
    let house = House(
      commits: MemoryCommits(rows: [.left(by: job, on: "/nowhere/disk0.qcow2")]))
    var record = JobRecord(
      id: job, type: "snapshot-save", subject: "default", autoFinalize: true, autoDismiss: false,
      note: nil, arguments: "{}", created: .now())
    record.status = .pending
    record.worker = WorkerInfo(id: 9, pid: 9, uid: 9, isAlive: false)
    house.jobs.leave(record)
    let findings = try await house.execute("x-snapjob-recover", arguments).elements
    #expect(findings.count == 1)
    #expect(findings.first?["jobs"] == ["left"])
    #expect(findings.first?["resolved"] == false)
    #expect(findings.first?["x-kind"] == .string(FailureKind.inUse.rawValue))
    #expect(findings.first?.text("outcome")?.contains("snapjob recover left --abandon") == true)
    #expect(try house.jobs.job(job)?.status == .pending)
  }

  @Test func aJobThatIsNotThereHasNothingToRecover() async {
    let refusal = await House().refusal("x-snapjob-recover", #"{"id": "nobody"}"#)
    #expect(refusal?.desc.contains("not found") == true)
    let none = await House().refusal("x-snapjob-recover", #"{"force": "abandon"}"#)
    #expect(none?.desc.contains("No commit is unfinished") == true)
  }

  @Test(
    "Files have fences removed by abandoning only",
    arguments: [
      #"{"files": ["/a"]}"#, #"{"files": ["/a"], "force": "forward"}"#,
      #"{"files": ["/a"], "force": "abandon", "dry-run": true}"#,
      #"{"files": ["/a"], "force": "abandon", "id": "j"}"#,
    ])
  func filesWithoutAbandon(arguments: String) async {
    #expect(await House().refusal("x-snapjob-recover", arguments)?.kind == "usage")
  }
}
