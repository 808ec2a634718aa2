import Jobs
import Monitor
import QMP
import Testing

@Suite struct CommandTableTests {
  @Test(
    "Has every command of the contract",
    arguments: [
      "snapshot-save", "snapshot-load", "snapshot-delete", "query-jobs", "job-cancel", "job-pause",
      "job-resume", "job-complete", "job-finalize", "job-dismiss", "query-version",
      "query-commands", "query-status", "query-named-block-nodes", "blockdev-add", "blockdev-del",
      "blockdev-create", "x-snapjob-plan", "x-snapjob-bytes-at-risk", "x-snapjob-list",
      "x-snapjob-survey",
      "x-snapjob-diff", "x-snapjob-prune-plan",
      "x-snapjob-query-jobs", "x-snapjob-job-log", "x-snapjob-dismiss-all",
      "x-snapjob-machine-list", "x-snapjob-machine-show", "x-snapjob-machine-add",
      "x-snapjob-machine-remove", "x-snapjob-machine-set", "x-snapjob-check", "x-snapjob-verify",
      "x-snapjob-recover", "x-snapjob-catalog", "query-qmp-schema", "query-block",
      "query-blockstats", "query-name", "query-uuid", "human-monitor-command", "transaction",
      "blockdev-snapshot-internal-sync",
      "blockdev-snapshot-delete-internal-sync", "query-yank", "yank", "stop", "cont", "quit",
      "migrate", "migrate-incoming", "query-migrate", "migrate_cancel", "migrate-continue",
      "migrate-set-capabilities", "query-migrate-capabilities", "migrate-set-parameters",
      "query-migrate-parameters", "x-snapjob-bitmap-transfer",
    ])
  func has(command: String) {
    #expect(Monitor.commands.contains { $0.name == command })
  }

  @Test func listsEachCommandOnceSortedByName() async throws {
    let names = try await House().execute("query-commands").elements.compactMap { $0.text("name") }
    #expect(names == Monitor.commands.map(\.name))
    #expect(names == Array(Set(names)).sorted())
  }

  @Test func everyOptionalExtensionOfQEMUsCommandsBeginsWithX() {
    let required: [String: Set<String>] = [
      "snapshot-save": ["job-id", "tag", "vmstate", "devices"],
      "snapshot-load": ["job-id", "tag", "vmstate", "devices"],
      "snapshot-delete": ["job-id", "tag", "devices"],
      "query-jobs": [],
    ]
    for (name, members) in required {
      let arguments = Monitor.commands.first { $0.name == name }?.arguments.members ?? []
      #expect(Set(arguments.filter { !$0.isOptional }.map(\.name)) == members)
      #expect(arguments.filter(\.isOptional).allSatisfy { $0.name.hasPrefix("x-") })
    }
  }

  @Test func anUnknownCommandIsNotFound() async {
    let error = await House().refusal("nope")
    #expect(
      error
        == QMPError(.commandNotFound, "The command nope has not been found", kind: "usage"))
  }

  @Test(
    "Refuses arguments before anything else happens",
    arguments: [
      ("job-cancel", "{}", "Parameter 'id' is missing"),
      ("job-cancel", #"{"id": "x", "zz": 1}"#, "Parameter 'zz' is unexpected"),
      ("job-pause", #"{"id": 3}"#, "Invalid parameter type for 'id', expected: string"),
      ("query-jobs", #"{"id": "x"}"#, "Parameter 'id' is unexpected"),
      ("query-jobs", "[]", "QMP input member 'arguments' must be an object"),
      ("snapshot-save", #"{"job-id": "j", "tag": "t"}"#, "Parameter 'vmstate' is missing"),
      (
        "snapshot-save", #"{"job-id": "j", "tag": "t", "vmstate": "d", "devices": [7]}"#,
        "Invalid parameter type for 'devices[0]', expected: string"
      ),
      (
        "snapshot-save",
        #"{"job-id": "1", "tag": "t", "vmstate": "d", "devices": [], "x-note": 1}"#,
        "Invalid parameter type for 'x-note', expected: string"
      ),
      (
        "snapshot-delete", #"{"job-id": "j", "tag": "t", "vmstate": "d", "devices": []}"#,
        "Parameter 'vmstate' is unexpected"
      ),
      (
        "blockdev-add", #"{"driver": "qcow3", "node-name": "d", "file": "f"}"#,
        "Parameter 'driver' does not accept value 'qcow3'"
      ),
      ("blockdev-add", #"{"driver": "qcow2", "node-name": "d"}"#, "Parameter 'file' is missing"),
      (
        "blockdev-add", #"{"driver": "qcow2", "file": {"driver": "file", "filename": "/f"}}"#,
        "'node-name' must be specified for the root node"
      ),
      (
        "blockdev-create", #"{"job-id": "j", "options": {"driver": "qcow2"}}"#,
        "Parameter 'options.file' is missing"
      ),
      (
        "x-snapjob-plan", #"{"command": "query-jobs", "arguments": {}}"#,
        "Parameter 'command' does not accept value 'query-jobs'"
      ),
      (
        "x-snapjob-recover", #"{"force": "back"}"#,
        "Parameter 'force' does not accept value 'back'"
      ),
    ])
  func refuses(command: String, arguments: String, desc: String) async {
    #expect(
      await House().refusal(command, arguments) == QMPError(.genericError, desc, kind: "usage"))
  }

  @Test func tellsVersionAndStatus() async throws {
    let house = House()
    #expect(
      try await house.execute("query-version").jsonText
        == #"{"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": "snapjob 1.2.3"}"#)
    #expect(
      try await house.execute("query-status").jsonText
        == #"{"status": "shutdown", "singlestep": false, "running": false}"#)
  }

  @Test(arguments: FailureKind.allCases)
  func everyKindOfFailureHasItsExitCode(kind: FailureKind) {
    let codes: [FailureKind: Int32] = [
      .general: 1, .notFound: 4, .conflict: 5, .inUse: 6, .timeout: 7, .connection: 8,
      .refused: 9, .cancelled: 10, .permission: 11, .noSpace: 12, .catalog: 13, .usage: 64,
    ]
    #expect(ExitCode(kind).rawValue == codes[kind])
  }
}
