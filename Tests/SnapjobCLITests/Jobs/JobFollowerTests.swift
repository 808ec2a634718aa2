import QMP
import Testing

@testable import SnapjobCLI

@Suite struct JobFollowerTests {
  /// Waits until somebody has taken the signals, and the job is there.
  private func whenRunning(_ run: Run) async throws {
    while !run.signals.isTaken || run.endpoint.arguments(of: "snapshot-save") == nil {
      try await Task.sleep(for: .milliseconds(1))
    }
  }

  @Test(
    "the first signal cancels the job, waits for the undo and says so",
    arguments: [(2, 130), (15, 143), (1, 129)])
  func cancels(signal: Int32, code: Int32) async throws {
    let run = Run(FakeEndpoint(.runs))
    async let status = run("save --tag x --json")
    try await whenRunning(run)
    run.signals.send(signal)
    #expect(await status.rawValue == code)
    #expect(run.endpoint.arguments(of: "job-cancel")?.text("id") == Run.saveID)
    #expect(run.err.text.contains("was cancelled and undone; no disk was changed"))
    let lines = try run.jsonLines()
    let statuses = lines.compactMap { $0["data"]?["status"]?.asText }
    #expect(statuses == ["created", "running", "aborting", "concluded"])
    #expect(lines.last?["error"]?.integer("exit-code") == Int64(code))
    #expect(!run.signals.isTaken)
  }

  @Test("after the commit point a signal changes nothing: the job finishes") func tooLate()
    async throws
  {
    let run = Run(FakeEndpoint(.refusesCancel))
    async let status = run("save --tag x")
    try await whenRunning(run)
    run.signals.send(2)
    #expect(await status == .done)
    #expect(run.err.text.contains("cannot accept command verb 'cancel'"))
    #expect(run.out.lines.last?.hasPrefix("Saved \"x\" on 2 disks") == true)
  }

  @Test("the second signal ends the process at once") func second() async throws {
    let endpoint = FakeEndpoint(.runs)
    endpoint.fail("job-cancel", with: QMPError(.genericError, "later"))
    let run = Run(endpoint)
    let task = Task { await run("save --tag x") }
    try await whenRunning(run)
    run.signals.send(2)
    run.signals.send(2)
    while run.signals.ends.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
    #expect(run.signals.ends == [.failed])
    #expect(run.err.text.contains("left to recovery"))
    task.cancel()
    _ = await task.value
  }

  @Test("a job cancelled by somebody else ends with 10") func cancelledElsewhere() async throws {
    let run = Run(FakeEndpoint(.runs))
    async let status = run("save --tag x")
    try await whenRunning(run)
    _ = try await run.endpoint.execute("job-cancel", ["id": .string(Run.saveID)])
    #expect(await status == .cancelled)
    #expect(run.err.text.contains("snapjob: Operation canceled\n"))
  }

  @Test("with -v each status is told on stderr") func verbose() async {
    let run = Run()
    #expect(await run("-v save --tag x") == .done)
    for status in ["created", "running", "waiting", "pending", "concluded"] {
      #expect(run.err.text.contains("snapjob: \(Run.saveID): \(status)\n"))
    }
  }

  @Test("a job whose events are missed is followed by looking at it") func withoutEvents()
    async throws
  {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-query-jobs", with: [["id": "j1", "status": "concluded", "exit-code": 0]])
    #expect(await run("job wait j1") == .done)
    #expect(run.out.text == "j1: done\n")
  }

  @Test("progress is a line of JSON when it moves") func progress() async throws {
    let run = Run(FakeEndpoint(.runs))
    async let status = run("save --tag x --json")
    try await whenRunning(run)
    while !run.out.text.contains("JOB_PROGRESS") { try await Task.sleep(for: .milliseconds(1)) }
    run.signals.send(2)
    _ = await status
    let lines = try run.jsonLines().filter { $0.text("event") == "JOB_PROGRESS" }
    #expect(lines.count == 1)
    #expect(lines.first?.members.map(\.name) == ["event", "data", "timestamp"])
    #expect(
      lines.first?["data"]
        == ["id": .string(Run.saveID), "current-progress": 512, "total-progress": 1024])
  }

  @Test("a start that waits for a busy machine is given up at a signal") func busy() async throws {
    let starting = Starting()
    let task = Task { try await starting.run { try await Task.sleep(for: .seconds(3600)) } }
    starting.giveUp(because: 15)
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(starting.signal == 15)
  }
}
