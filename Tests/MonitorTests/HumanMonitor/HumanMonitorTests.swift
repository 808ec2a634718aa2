import Jobs
import QMP
import SnapshotJobs
import Testing

@Suite struct HumanMonitorTests {
  private let house = House()

  init() throws {
    for name in ["disk0", "disk1"] { try house.addNode(name) }
  }

  private func say(_ line: String) async throws -> String? {
    let arguments = QMPValue.object([.init("command-line", .string(line))]).jsonText
    guard case .string(let text) = try await house.execute("human-monitor-command", arguments)
    else { return nil }
    return text
  }

  @Test(
    "Says what is wrong with a line",
    arguments: [
      ("nope", "unknown command: 'nope'\r\n"), (" nope x", "unknown command: ' nope'\r\n"),
      ("info  nope x", "unknown command: 'info  nope'\r\n"), ("", ""), ("   ", ""),
      ("/x", "unknown command: ''\r\n"),
      (
        "loadvm", "loadvm: string expected\r\nTry \"help loadvm\" for more information\r\n"
      ),
      (
        "info status  x",
        "status: extraneous characters at the end of line\r\n"
          + "Try \"help info status\" for more information\r\n"
      ),
      (
        "info block -n -x",
        "block: unsupported option -x\r\nTry \"help info block\" for more information\r\n"
      ),
      (
        "delvm \"a\\q\"", "delvm: string expected\r\nTry \"help delvm\" for more information\r\n"
      ),
    ])
  func refuses(line: String, text: String) async throws {
    #expect(try await say(line) == text)
  }

  @Test func savesOnAllNodesInPlaceOfAnOldSnapshot() async throws {
    #expect(try await say("savevm \"a \\\"b\\\"\"") == "")
    let request = try #require(house.images.requests.last)
    #expect(request.operation == .save)
    #expect(request.tag == "a \"b\"")
    #expect(request.devices == ["disk0", "disk1"])
    #expect(request.replace)
    #expect(house.images.changes == ["commit"])
    #expect(house.jobs.trail.isEmpty)
  }

  @Test func aSnapshotWithoutANameIsCalledByTheTime() async throws {
    _ = try await say("savevm")
    let tag = try #require(house.images.requests.last?.tag)
    #expect(tag.wholeMatch(of: /vm-20\d{12}/) != nil, "\(tag)")
  }

  @Test func loadsAndDeletes() async throws {
    #expect(try await say("loadvm a") == "")
    #expect(try await say("delvm a") == "")
    #expect(house.images.requests.map(\.operation) == [.load, .delete])
  }

  @Test func aFailureIsPartOfTheText() async throws {
    house.images.set { $0.commitFailure = JobError(.noSpace, "full") }
    #expect(try await say("savevm a") == "Error: full\r\n")
  }

  @Test func aMachineWithoutDisksHasNothingToSave() async throws {
    let house = House()
    for (line, text) in [
      ("savevm a", "Error: no block device can store vmstate for snapshot\r\n"),
      ("loadvm a", "Error: no block device can store vmstate for snapshot\r\n"),
      ("delvm a", ""), ("info block", ""),
      ("info snapshots", "no block device can store vmstate for snapshot\r\n"),
    ] {
      let arguments = #"{"command-line": "\#(line)"}"#
      #expect(try await house.execute("human-monitor-command", arguments) == .string(text))
    }
  }

  @Test func tellsOfJobs() async throws {
    #expect(try await say("info jobs") == "No active jobs\r\n")
    house.images.work { control in
      control.foresee(9)
      throw JobError(.noSpace, "full")
    }
    try await house.save("j")
    #expect(
      try await say("info jobs")
        == "Type snapshot-save, id j, status concluded: Completed 0 of 9 bytes, error: full\r\n")
  }

  @Test func tellsOfTheMachine() async throws {
    #expect(try await say("info name") == "default\r\n")
    #expect(try await say("info status") == "VM status: paused (shutdown)\r\n")
    #expect(try await say("info version") == "7.2.0snapjob 1.2.3\r\n")
    #expect(try await say("cont")?.hasPrefix("Error: Machine 'default' is not running") == true)
    #expect(try await say("stop") == "")
  }

  @Test func helpNamesEveryCommand() async throws {
    #expect(
      try await say("help savevm")
        == "savevm tag -- save a VM snapshot. If no tag is provided, a new snapshot is created\r\n")
    let info = try #require(try await say("info"))
    #expect(info.contains("info snapshots  -- show the currently saved VM snapshots\r\n"))
    #expect(try await say("help")?.contains("\r\ninfo [subcommand] -- ") == true)
  }

  @Test func noCPUCanBeChosen() async {
    #expect(
      await house.refusal(
        "human-monitor-command", #"{"command-line": "info name", "cpu-index": 0}"#)?.desc
        == "Parameter 'cpu-index' expects a CPU number")
  }
}
