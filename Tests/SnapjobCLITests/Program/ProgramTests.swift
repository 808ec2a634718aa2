import QMP
import Testing

@testable import SnapjobCLI

@Suite struct ProgramTests {
  @Test("an engine that cannot be opened ends the command with its code and sentence")
  func closedDoor() async throws {
    let error = QMPError(.genericError, "catalog /c.db is read-only", kind: "catalog")
    let run = Run(doorFailure: error)
    #expect(await run("list --json") == .catalog)
    #expect(run.err.text == "snapjob: catalog /c.db is read-only\n")
    let line = try #require(try run.jsonLines().first?["error"])
    #expect(line.members.map(\.name) == ["class", "desc", "exit-code"])
    #expect(line.integer("exit-code") == 13)
  }

  @Test("what was opened is closed, also after a failure") func closes() async {
    let run = Run()
    run.endpoint.fail("x-snapjob-survey", with: QMPError(.genericError, "no", kind: "refused"))
    #expect(await run("list") == .refused)
    #expect(run.door.requests.count == 1)
    #expect(run.door.closeCount == 1)
  }

  @Test("notes of the engine go to stderr, unless quiet") func notes() async throws {
    let run = Run()
    _ = await run("machine list")
    let request = try #require(run.door.requests.first)
    request.onWait("disk0 is held")
    #expect(run.err.text.contains("snapjob: waiting: disk0 is held\n"))
  }

  @Test(
    "what is done is told if its result cannot be written",
    arguments: [
      ("save --tag x", "; but job \(Run.saveID) is done"),
      ("machine remove m", "; but the change is made"), ("list", ""),
    ])
  func fullOutput(line: String, deed: String) async {
    let run = Run(outputProblem: "No space left on device")
    #expect(await run(line) == .failed)
    #expect(
      run.err.lines.last
        == "snapjob: cannot write the output: No space left on device\(deed)")
  }
}
