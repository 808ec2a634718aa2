import QMP
import Testing

@testable import SnapjobCLI

@Suite struct DetachTests {
  @Test(
    "detached work is handed to the same command line in another process",
    arguments: ["save --tag x --detach", "load --tag x --no-auto-finalize --json -y"])
  func handedOver(line: String) async {
    let run = Run()
    // The fake process ends with 7, which is passed on.
    #expect(await run(line).rawValue == 7)
    let words = line.split(separator: " ").map(String.init)
    #expect(run.spawner.arguments == [words + ["--x-detached-worker"]])
    #expect(run.endpoint.calls.isEmpty)
  }

  @Test("the question is asked before anything is handed over") func asks() async {
    let no = Run(answer: "n")
    #expect(await no("delete --tag x --detach") == .failed)
    #expect(no.spawner.arguments.isEmpty)
    let yes = Run(answer: "y")
    #expect(await yes("delete --tag x --detach").rawValue == 7)
    #expect(yes.spawner.arguments.count == 1)
  }

  @Test("the worker of --detach prints the id, lets go, and works on") func worker() async throws {
    let text = Run()
    #expect(await text("save --tag x --detach --x-detached-worker") == .done)
    #expect(text.out.lines.first == Run.saveID)
    #expect(text.spawner.letGos == [.done])
    let json = Run()
    #expect(await json("save --tag x --detach --json --x-detached-worker") == .done)
    #expect(
      try json.jsonLines().first == [
        "return": [
          "current-progress": 0, "status": "created", "total-progress": 0,
          "type": "snapshot-save", "id": .string(Run.saveID), "machine": "default",
        ]
      ])
    let files = Run(FakeEndpoint(nodes: [FakeEndpoint.disk("a", "/work dir/a.qcow2")]))
    #expect(
      await files("save --tag x --detach --json --x-detached-worker --file a.qcow2") == .done)
    #expect(try files.jsonLines().first?["return"]?["machine"] == nil)
  }

  @Test("a worker whose output takes nothing lets go with a failure, and works on")
  func fullOutput() async {
    let run = Run(outputProblem: "No space left on device")
    _ = await run("save --tag x --detach --x-detached-worker")
    #expect(run.spawner.letGos == [.failed])
    #expect(
      run.err.text.hasPrefix(
        "snapjob: cannot write the output: No space left on device; but job \(Run.saveID) goes on in the "
          + "background\n"))
    #expect(run.endpoint.arguments(of: "snapshot-save") != nil)
  }

  @Test("a worker that cannot start its job does not let go") func failingWorker() async {
    let error = QMPError(.genericError, "busy", kind: "inUse")
    let run = Run(FakeEndpoint(.refusesStart(error, times: 1)))
    #expect(await run("save --tag x --detach --x-detached-worker") == .inUse)
    #expect(run.spawner.letGos.isEmpty)
    #expect(run.out.text.isEmpty)
  }

  @Test("without auto-finalize the worker lets go at pending and waits for the verb")
  func pending() async throws {
    let run = Run(FakeEndpoint(.staysPending))
    async let status = run("save --tag x --no-auto-finalize --x-detached-worker")
    while run.spawner.letGos.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
    #expect(run.out.lines.first == Run.saveID)
    #expect(run.out.text.contains("snapjob job finalize \(Run.saveID)"))
    #expect(run.endpoint.arguments(of: "snapshot-save")?["x-auto-finalize"] == false)
    _ = try await run.endpoint.execute("job-finalize", ["id": .string(Run.saveID)])
    #expect(await status == .done)
  }

  @Test("a worker that let go at once does not do so again at pending")
  func letsGoOnce() async throws {
    let run = Run(FakeEndpoint(.staysPending))
    async let status = run("save --tag x --detach --no-auto-finalize --x-detached-worker")
    while run.endpoint.arguments(of: "snapshot-save") == nil {
      try await Task.sleep(for: .milliseconds(1))
    }
    try await Task.sleep(for: .milliseconds(50))
    _ = try await run.endpoint.execute("job-finalize", ["id": .string(Run.saveID)])
    #expect(await status == .done)
    #expect(run.spawner.letGos == [.done])
  }

  @Test("a pending job that nobody finalizes in time is cancelled") func finalizeTimeout() async {
    let run = Run(FakeEndpoint(.staysPending))
    let options = "--no-auto-finalize --finalize-timeout 0.1 --x-detached-worker --json"
    #expect(await run("save --tag x \(options)") == .done)
    #expect(
      run.endpoint.arguments(of: "job-cancel") == [
        "id": .string(Run.saveID),
        "x-reason":
          "Operation canceled: nobody has finalized it within 0.1 s (--finalize-timeout)",
      ])
  }

  @Test("a job that fails before it is pending is told with its code") func failsFirst() async {
    let run = Run(FakeEndpoint(.fails("no space", exitCode: 12)))
    #expect(await run("save --tag x --no-auto-finalize --x-detached-worker") == .noSpace)
    #expect(run.spawner.letGos.isEmpty)
    #expect(run.err.text == "snapjob: no space\n")
  }
}
