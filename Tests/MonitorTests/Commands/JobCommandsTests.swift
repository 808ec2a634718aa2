import Jobs
import Monitor
import QMP
import SnapshotJobs
import Testing

@Suite struct JobCommandsTests {
  @Test(
    "A job that does not exist is not found, whatever its name",
    arguments: [
      "job-cancel", "job-pause", "job-resume", "job-complete", "job-finalize", "job-dismiss",
    ], ["nope", "1 bad name", ""])
  func notFound(command: String, id: String) async {
    let arguments: QMPValue = ["id": .string(id)]
    #expect(
      await House().refusal(command, arguments.jsonText)
        == QMPError(.genericError, "Job not found", kind: "notFound"))
  }

  @Test func verbsReachTheJobAndAreRefusedInQEMUsWords() async throws {
    let house = House()
    let gate = Gate()
    house.images.work { try gate.pass($0) }
    try await house.execute(
      "snapshot-save", #"{"job-id": "j", "tag": "t", "vmstate": "d", "devices": []}"#)
    // A job that is cancelled before its work begins is forgotten at once.
    while try house.jobs.job(JobID("j"))?.status != .running {
      try await Task.sleep(for: .milliseconds(1))
    }
    try await house.execute("job-pause", #"{"id": "j"}"#)
    #expect(await house.refusal("job-pause", #"{"id": "j"}"#)?.desc == "Job is already paused")
    try await house.execute("job-resume", #"{"id": "j"}"#)
    #expect(
      await house.refusal("job-resume", #"{"id": "j"}"#)?.desc
        == "Can't resume a job that was not paused")
    try await house.execute("job-cancel", #"{"id": "j"}"#)
    let record = try await house.runner.wait(for: JobID("j"))
    #expect(record.error == .operationCanceled)
    #expect(
      await house.refusal("job-cancel", #"{"id": "j"}"#)
        == QMPError(
          .genericError, "Job 'j' in state 'concluded' cannot accept command verb 'cancel'",
          kind: "conflict"))
    try await house.execute("job-dismiss", #"{"id": "j"}"#)
    #expect(try await house.execute("query-jobs") == [])
  }

  @Test func queryJobsTellsNewestFirstInQEMUsOrder() async throws {
    let house = House()
    try await house.save("a")
    house.images.work { _ in throw JobError(.notFound, "gone") }
    try await house.save("b")
    let jobs = try await house.execute("query-jobs").elements
    #expect(jobs.compactMap { $0.text("id") } == ["b", "a"])
    #expect(
      jobs[0].names == [
        "current-progress", "status", "total-progress", "type", "id", "error",
      ])
    #expect(jobs[0].text("error") == "gone")
    #expect(
      jobs[1].names == ["current-progress", "status", "total-progress", "type", "id"])
    #expect(jobs[1].text("type") == "snapshot-save")
  }

  @Test func queryJobsTellsOfTheMachineAloneUnlessAsked() async throws {
    let house = House()
    try await house.save("mine")
    house.jobs.leave(try concluded("theirs", subject: "web01"))
    house.jobs.leave(try concluded("files", subject: nil))
    let mine = try await house.execute("query-jobs").elements
    #expect(mine.compactMap { $0.text("id") } == ["mine"])
    let all = try await house.execute("query-jobs", #"{"x-all-machines": true}"#).elements
    #expect(all.compactMap { $0.text("id") } == ["files", "theirs", "mine"])
    #expect(all.map { $0["machine"] } == [.null, "web01", "default"])
  }

  @Test func aOneOffMachineTellsOfTheJobsStartedThroughItsMonitor() async throws {
    let machine = Machine(name: nil, nodes: [Node(name: try NodeName("disk0"), path: "/disk0")])
    let house = House(.oneOff(machine))
    house.jobs.leave(try concluded("files", subject: nil))
    let record = try await house.save("mine")
    #expect(record.subject == nil)
    let jobs = try await house.execute("query-jobs").elements
    #expect(jobs.compactMap { $0.text("id") } == ["mine"])
  }

  @Test func tellsEverythingThatTheCatalogKeeps() async throws {
    let house = House()
    try await house.save("j", tag: "clean", more: #", "x-note": "why""#)
    let job = try #require(
      try await house.execute("x-snapjob-query-jobs", #"{"id": "j"}"#).elements.first)
    #expect(job.text("machine") == "default")
    #expect(job.text("tag") == "clean")
    #expect(job["devices"] == ["disk0"])
    #expect(job.text("vmstate") == "disk0")
    #expect(job.text("note") == "why")
    #expect(job["exit-code"] == 0)
    #expect(job["worker"] == ["pid": 4711, "uid": 1000, "alive": true])
    #expect(
      job["result"]
        == ["bytes-written": 7, "bytes-freed": 3, "pause-ns": .null, "remarks": ["a remark"]])
    #expect(job.text("created")?.hasSuffix("Z") == true)
    #expect(job["auto-finalize"] == true)
    #expect(job["auto-dismiss"] == false)
  }

  @Test func theExitCodeIsNullUntilTheEndAndThenThatOfTheFailure() async throws {
    let house = House()
    let gate = Gate()
    house.images.work { control in
      try gate.pass(control)
      throw JobError(.inUse, "held")
    }
    try await house.execute(
      "snapshot-save", #"{"job-id": "j", "tag": "t", "vmstate": "d", "devices": []}"#)
    let query = #"{"id": "j"}"#
    let running = try await house.execute("x-snapjob-query-jobs", query).elements.first
    #expect(running?["exit-code"] == .null)
    #expect(running?["concluded"] == .null)
    gate.open()
    _ = try await house.runner.wait(for: JobID("j"))
    let concluded = try await house.execute("x-snapjob-query-jobs", query).elements.first
    #expect(concluded?["exit-code"] == 6)
    #expect(concluded?["concluded"] != .null)
  }

  @Test func theHistoryHasWhatWasDismissed() async throws {
    let house = House()
    try await house.save("j")
    try await house.save("k")
    #expect(try await house.execute("x-snapjob-dismiss-all") == ["dismissed": 2])
    #expect(try await house.execute("x-snapjob-query-jobs") == [])
    #expect(await house.refusal("x-snapjob-query-jobs", #"{"id": "j"}"#)?.kind == "notFound")
    let history = try await house.execute("x-snapjob-query-jobs", #"{"history": true}"#).elements
    #expect(history.compactMap { $0.text("id") } == ["k", "j"])
    let one = try await house.execute(
      "x-snapjob-query-jobs", #"{"history": true, "id": "j"}"#)
    #expect(one.elements.first?.text("status") == "concluded")
    #expect(
      await house.refusal("x-snapjob-query-jobs", #"{"history": true, "id": "x"}"#)?.desc
        == "Job not found")
  }

  @Test func dismissAllLeavesOtherMachinesAlone() async throws {
    let house = House()
    try await house.save("mine")
    house.jobs.leave(try concluded("theirs", subject: "web01"))
    #expect(try await house.execute("x-snapjob-dismiss-all") == ["dismissed": 1])
    #expect(try house.jobs.jobs().map(\.id.description) == ["theirs"])
  }

  @Test func dismissAllOfAllMachinesTakesJobsOnFilesToo() async throws {
    let house = House()
    try await house.save("mine")
    house.jobs.leave(try concluded("theirs", subject: "web01"))
    house.jobs.leave(try concluded("files", subject: nil))
    #expect(
      try await house.execute("x-snapjob-dismiss-all", #"{"all-machines": true}"#)
        == ["dismissed": 3])
    #expect(try house.jobs.jobs().isEmpty)
  }

  @Test func theLogHasEveryStatusWithItsTime() async throws {
    let house = House()
    try await house.save("j")
    let log = try await house.execute("x-snapjob-job-log", #"{"id": "j"}"#).elements
    #expect(
      log.compactMap { $0.text("status") }
        == ["created", "running", "waiting", "pending", "concluded"])
    let time = try #require(log.first?.text("timestamp"))
    #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil)
    #expect(await house.refusal("x-snapjob-job-log", #"{"id": "x"}"#)?.desc == "Job not found")
  }

  private func concluded(_ id: String, subject: String?) throws -> JobRecord {
    var record = JobRecord(
      id: try JobID(id), type: "snapshot-save", subject: subject,
      autoFinalize: true, autoDismiss: false, note: nil, arguments: "{}",
      created: Timestamp(microseconds: 1))
    record.status = .concluded
    record.concluded = Timestamp(microseconds: 2)
    return record
  }
}
