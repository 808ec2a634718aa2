import QMP
import Testing

@testable import SnapjobCLI

@Suite struct CommandTests {
  @Test(
    "simple commands become one QMP command",
    arguments: [
      (
        "node add disk0 a.qcow2 --read-only", "blockdev-add",
        #"{"driver": "qcow2", "node-name": "disk0", "read-only": true, "#
          + #""file": {"driver": "file", "filename": "/work dir/a.qcow2"}}"#
      ),
      ("node remove disk0", "blockdev-del", #"{"node-name": "disk0"}"#),
      (
        "machine add web01 --disk r=/a --disk ./b", "x-snapjob-machine-add",
        #"{"name": "web01", "disks": [{"node-name": "r", "filename": "/a"}, "#
          + #"{"filename": "/work dir/b"}]}"#
      ),
      ("machine remove web01", "x-snapjob-machine-remove", #"{"name": "web01"}"#),
      (
        "machine set web01 --exclude a --vmstate b --rename c=d --file d=/x",
        "x-snapjob-machine-set",
        #"{"name": "web01", "exclude": "a", "vmstate": "b", "rename": {"old": "c", "new": "d"}, "#
          + #""file": {"node-name": "d", "filename": "/x"}}"#
      ),
      ("job cancel j1", "job-cancel", #"{"id": "j1"}"#),
      ("job pause j1", "job-pause", #"{"id": "j1"}"#),
      ("job resume j1", "job-resume", #"{"id": "j1"}"#),
      ("job finalize j1", "job-finalize", #"{"id": "j1"}"#),
      ("job dismiss j1", "job-dismiss", #"{"id": "j1"}"#),
      (
        "recover --abandon --file a", "x-snapjob-recover",
        #"{"force": "abandon", "files": ["/work dir/a"]}"#
      ),
      (
        "recover j1 --forward --dry-run", "x-snapjob-recover",
        #"{"dry-run": true, "id": "j1", "force": "forward"}"#
      ),
      (
        "catalog backup b.db", "x-snapjob-catalog",
        #"{"action": "backup", "filename": "/work dir/b.db"}"#
      ),
      (
        "check disk0 ./x", "x-snapjob-check",
        #"{"targets": ["disk0", "/work dir/x"], "progress": true}"#
      ),
      (
        "check --repair leaks disk0", "x-snapjob-check",
        #"{"targets": ["disk0"], "repair": "leaks", "progress": true}"#
      ),
      ("verify", "x-snapjob-verify", #"{"targets": [], "progress": true}"#),
      (
        "verify d --tag x", "x-snapjob-verify",
        #"{"targets": ["d"], "tag": "x", "progress": true}"#
      ),
      (
        "verify d --digest", "x-snapjob-verify",
        #"{"targets": ["d"], "digest": true, "progress": true}"#
      ),
    ])
  func commands(line: String, command: String, arguments: String) async throws {
    let run = Run()
    #expect(await run(line) == .done)
    #expect(run.endpoint.arguments(of: command) == (try QMPValue(parsing: arguments)))
  }

  @Test("commands that return nothing print nothing, and an empty return in JSON") func silence()
    async
  {
    let text = Run()
    #expect(await text("job pause j1") == .done)
    #expect(text.out.text.isEmpty)
    let json = Run()
    #expect(await json("job pause j1 --json") == .done)
    #expect(json.out.text == "{\"return\": {}}\n")
  }

  @Test("machines are changed whatever machine is chosen") func machineOption() async {
    var run = Run()
    run.environment["SNAPJOB_MACHINE"] = "new"
    #expect(await run("machine add new") == .done)
    #expect(run.door.requests.first?.machine == "default")
  }

  @Test("a live machine is refused with a sentence") func live() async {
    let run = Run()
    #expect(await run("machine add web01 --qmp tcp:h:1") == .usage)
    #expect(run.err.text.contains("Write --qmp unix:PATH"))
    #expect(run.endpoint.calls.isEmpty)
  }

  @Test("node create creates, adds and dismisses") func nodeCreate() async throws {
    let run = Run()
    #expect(await run("node create data /nowhere/d.qcow2 --size 10G") == .done)
    let options = run.endpoint.arguments(of: "blockdev-create")?["options"]
    #expect(options?.integer("size") == 10_737_418_240)
    #expect(options?["file"]?.text("filename") == "/nowhere/d.qcow2")
    let names = run.endpoint.calls.map(\.command).filter { !$0.hasPrefix("x-") }
    #expect(names == ["blockdev-create", "job-dismiss", "blockdev-add"])
    #expect(run.out.text.isEmpty)
  }

  @Test("node create leaves existing files and names alone") func nodeCreateRefused() async {
    let file = Run()
    #expect(await file("node create data /dev/null --size 1G") == .conflict)
    let name = Run()
    let error = QMPError(.genericError, "Duplicate nodes", kind: "conflict")
    name.endpoint.fail("blockdev-create", with: error)
    #expect(await name("node create disk0 /nowhere/d.qcow2 --size 1G") == .conflict)
    #expect(name.endpoint.arguments(of: "blockdev-create")?.text("x-node-name") == "disk0")
    #expect(name.endpoint.arguments(of: "blockdev-add") == nil)
  }

  @Test("check ends with qemu-img's codes, the worst of several") func check() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-check",
      with: [
        ["target": "disk0", "result": ["exit-code": 0]],
        ["target": "disk1", "result": ["exit-code": 3, "leaks": 1, "messages": ["Leaked 5"]]],
        ["target": "disk2", "result": ["exit-code": 63, "messages": ["not qcow2"]]],
      ])
    #expect(await run("check").rawValue == 63)
    #expect(run.err.text == "Leaked 5\nsnapjob: disk2: not qcow2\n")
    #expect(run.out.text.hasPrefix("disk0:\nNo errors were found on the image.\n\ndisk1:\n"))
    #expect(!run.out.text.contains("disk2:\nNo errors"))
  }

  @Test("an image of which the server says nothing was not checked") func checkOfNothing() async {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-check", with: [["target": "disk0", "id": "held"]])
    #expect(await run("check").rawValue == 1)
    #expect(run.err.text == "snapjob: disk0: it was not checked\n")
  }

  @Test("a repair says in qemu-img's words what it has mended") func repair() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-check",
      with: [
        [
          "target": "disk0",
          "result": ["exit-code": 0, "leaks-fixed": 2, "corruptions-fixed": 0],
        ]
      ])
    #expect(await run("check --repair all") == .done)
    #expect(
      run.out.text.hasPrefix(
        "The following inconsistencies were found and repaired:\n\n    2 leaked clusters\n"
          + "    0 corruptions\n\nNo errors were found on the image.\n"))
  }

  @Test("an image that cannot be found is 1 for check, as for qemu-img") func checkFails() async {
    let run = Run()
    run.endpoint.fail("x-snapjob-check", with: QMPError(.genericError, "none", kind: "notFound"))
    #expect(await run("check nothing").rawValue == 1)
  }

  @Test("a file that cannot be checked or verified is named once, on stderr, also with --json")
  func fileFailures() async throws {
    let problem: QMPValue = "/a/x.qcow2: cannot open it"
    for (command, name) in [("check", "x-snapjob-check"), ("verify", "x-snapjob-verify")] {
      for option in ["", " --json"] {
        let run = Run()
        let targets: [QMPValue] = ["/a/x.qcow2", "x.qcow2", "disk0"]
        let reply = QMPValue.array(
          targets.map { target in
            [
              "target": target, "filename": "/a/x.qcow2", "problem": problem, "exit-code": 4,
              "result": ["exit-code": 1, "messages": [problem]],
            ]
          })
        run.endpoint.reply(to: name, with: reply)
        #expect(await run("\(command) /a/x.qcow2 x.qcow2 disk0\(option)") != .done)
        #expect(
          run.err.text == """
            snapjob: /a/x.qcow2: cannot open it
            snapjob: /a/x.qcow2: cannot open it
            snapjob: disk0: /a/x.qcow2: cannot open it

            """)
        if option.isEmpty {
          #expect(run.out.text.isEmpty)
        } else {
          #expect(try run.jsonLines() == [reply])
        }
      }
    }
  }

  @Test("verify prints a line a state, and ends with 2 when the readers differ")
  func verify() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-verify",
      with: [
        [
          "target": "disk0", "bytes-equal": 1024, "differences": [["offset": 512, "length": 1]],
          "left-out": ["zero flag": 3], "exit-code": 2,
        ],
        [
          "target": "disk1", "states": [["tag": .null, "digest": "ab"]], "bytes-equal": 2048,
          "differences": [], "exit-code": 0,
        ],
      ])
    #expect(await run("verify") == .differs)
    #expect(
      run.out.text == """
        disk0: differs from what libqcow reads; 1 KiB are equal
          1 byte from offset 512
          left out: 3 clusters (zero flag)
        disk1: active: ab
        disk1: 2 KiB equal to what libqcow reads

        """)
  }

  @Test("recover that leaves something open ends with the code of what keeps it open")
  func recover() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-recover",
      with: [
        ["jobs": ["j1"], "outcome": "is undone", "images": ["/a: ready"], "resolved": true],
        [
          "jobs": ["j2"], "outcome": "waits", "images": [], "resolved": false, "x-kind": "inUse",
        ],
      ])
    #expect(await run("recover") == .inUse)
    #expect(run.out.text == "j1: is undone\n  /a: ready\nj2: waits (not finished)\n")
    #expect(run.door.requests.first?.recovers == false)
  }

  @Test("the catalog's path is printed without opening it") func catalogPath() async {
    let run = Run()
    #expect(await run("catalog path --catalog c.db") == .done)
    #expect(run.out.text == "/work dir/c.db\n")
    #expect(run.door.requests.isEmpty)
  }

  @Test("a damaged catalog is 13 and what to do") func catalogCheck() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-catalog", with: ["path": "/c.db", "problems": ["row 1 missing"]])
    #expect(await run("catalog check") == .catalog)
    #expect(run.err.text.contains("row 1 missing"))
  }

  @Test("a raw command prints the reply as QMP sends it") func raw() async {
    let run = Run()
    run.endpoint.reply(to: "query-status", with: ["running": false])
    #expect(await run("qmp query-status") == .done)
    #expect(run.out.text == "{\"return\": {\"running\": false}}\n")
    let failing = Run()
    failing.endpoint.fail("nope", with: QMPError(.commandNotFound, "none", kind: "usage"))
    #expect(await failing("qmp nope") == .usage)
    #expect(failing.out.text.contains(#""class": "CommandNotFound""#))
    #expect(failing.err.text == "snapjob: none\n")
  }

  @Test("a raw command that starts a job waits for its end") func rawJob() async {
    let arguments = #"{"job-id":"j1","tag":"x","devices":["disk0"]}"#
    let run = Run(FakeEndpoint(.fails("no", exitCode: 4)))
    #expect(await run(["qmp", "snapshot-delete", arguments]) == .notFound)
    #expect(run.out.text == "{\"return\": {}}\n")
    #expect(run.err.text == "snapjob: no\n")
  }

  @Test("waiting for several jobs ends with the code of the first that failed") func wait()
    async throws
  {
    let endpoint = FakeEndpoint(.fails("gone", exitCode: 12))
    _ = try await endpoint.execute("snapshot-save", ["job-id": "b"])
    let run = Run(endpoint)
    #expect(await run("job wait b --json") == .noSpace)
    #expect(try run.jsonLines().last?["error"]?.text("desc") == "b: gone")
    #expect(await run("job wait b none") == .notFound)
  }

  @Test("waiting for a job may take too long") func waitTimeout() async throws {
    let endpoint = FakeEndpoint(.runs)
    _ = try await endpoint.execute("snapshot-save", ["job-id": "b"])
    let run = Run(endpoint)
    #expect(await run("job wait b --timeout 0.05") == .timeout)
    #expect(endpoint.arguments(of: "job-cancel") == nil)
  }

  @Test("job show leaves out what is not known") func jobShow() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-query-jobs",
      with: [
        [
          "id": "j1", "type": "snapshot-save", "machine": .null, "tag": "x",
          "devices": ["disk0", "disk1"], "status": "concluded", "current-progress": 1024,
          "total-progress": 1024, "exit-code": 0, "worker": ["pid": 7, "uid": 0, "alive": false],
          "result": ["bytes-written": 1024, "bytes-freed": 0, "pause-ns": .null, "remarks": ["r"]],
        ]
      ])
    #expect(await run("job show j1") == .done)
    #expect(
      run.out.text == """
        id: j1
        type: snapshot-save
        tag: x
        devices: disk0, disk1
        status: concluded
        progress: 1 KiB of 1 KiB
        exit code: 0
        worker: pid 7, uid 0, has ended
        bytes written: 1 KiB
        bytes freed: 0 B
        remark: r

        """)
  }

  @Test(
    "a job that is not there is not found, in QEMU's words", arguments: ["show", "log", "wait"])
  func noJob(verb: String) async {
    let run = Run()
    #expect(await run("job \(verb) nothing") == .notFound)
    #expect(run.err.text.hasPrefix("snapjob: Job not found"))
  }

  @Test("catalog prune says how many jobs were moved and deleted") func catalogPrune() async throws
  {
    let reply: QMPValue = ["path": "/c.db", "dismissed": 1, "deleted": 2]
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-catalog", with: reply)
    #expect(await run("catalog prune") == .done)
    #expect(run.out.text == "1 job moved to the history, 2 jobs deleted from it\n")
    #expect(run.endpoint.arguments(of: "x-snapjob-catalog") == ["action": "prune"])
    let json = Run()
    json.endpoint.reply(to: "x-snapjob-catalog", with: reply)
    #expect(await json("catalog prune --json") == .done)
    #expect(try json.jsonLines() == [reply])
  }

  @Test("job dismiss --all says how many jobs were dismissed") func dismissAll() async throws {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-dismiss-all", with: ["dismissed": 2])
    #expect(await run("job dismiss --all") == .done)
    #expect(run.out.text == "2 jobs dismissed\n")
    let json = Run()
    json.endpoint.reply(to: "x-snapjob-dismiss-all", with: ["dismissed": 2])
    #expect(await json("job dismiss --all --json") == .done)
    #expect(try json.jsonLines() == [["return": ["dismissed": 2]]])
  }

  @Test("job dismiss --all --all-machines asks for the jobs of all machines and of files")
  func dismissAllMachines() async throws {
    for option in ["-A", "--all-machines"] {
      let run = Run()
      run.endpoint.reply(to: "x-snapjob-dismiss-all", with: ["dismissed": 1])
      #expect(await run("job dismiss --all \(option)") == .done)
      #expect(run.endpoint.arguments(of: "x-snapjob-dismiss-all") == ["all-machines": true])
    }
  }
}
