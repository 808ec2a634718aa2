import QMP
import Testing

@testable import SnapjobCLI

@Suite struct SnapshotRunTests {
  @Test("a save prints the job's id first and a sentence last") func saveText() async {
    let run = Run()
    #expect(await run("save --tag before-upgrade") == .done)
    #expect(run.out.lines.count == 2)
    #expect(run.out.lines.first == Run.saveID)
    let sentence = run.out.lines.last ?? ""
    #expect(sentence.hasPrefix("Saved \"before-upgrade\" on 2 disks (disk0, disk1) in "))
    #expect(sentence.hasSuffix(" s; 1.2 MiB written."))
    #expect(run.err.text == "snapjob: note: RAM is in disk0.\n")
    #expect(
      run.endpoint.arguments(of: "snapshot-save") == [
        "job-id": .string(Run.saveID), "tag": "before-upgrade", "vmstate": "disk0",
        "devices": ["disk0", "disk1"],
      ])
  }

  @Test("quiet prints the id alone") func quiet() async {
    let run = Run()
    #expect(await run("-q save --tag x") == .done)
    #expect(run.out.text == Run.saveID + "\n")
    #expect(run.err.text.isEmpty)
  }

  @Test("with --json stdout has events in QMP's shape and the job at the end") func saveJSON()
    async throws
  {
    let run = Run()
    #expect(await run("save --tag x --json") == .done)
    let lines = try run.jsonLines()
    let events = lines.filter { $0.text("event") == "JOB_STATUS_CHANGE" }
    #expect(
      events.first == [
        "event": "JOB_STATUS_CHANGE", "data": ["id": .string(Run.saveID), "status": "created"],
        "timestamp": ["seconds": 1_795_234_229, "microseconds": 123_456],
      ])
    #expect(
      events.map { $0["data"]?.text("status") } == [
        "created", "running", "waiting", "pending", "concluded",
      ])
    #expect(
      lines.last == [
        "return": [
          "current-progress": 1024, "status": "concluded", "total-progress": 1024,
          "type": "snapshot-save", "id": .string(Run.saveID),
        ]
      ])
  }

  @Test("a failed job ends with the exit code that it tells, its error on stderr and in JSON")
  func failure() async throws {
    let run = Run(FakeEndpoint(.fails("disk1: tag x exists", exitCode: 5)))
    #expect(await run("save --tag x --json") == .conflict)
    #expect(run.err.text == "snapjob: disk1: tag x exists\n")
    #expect(
      try run.jsonLines().last == [
        "error": ["class": "GenericError", "desc": "disk1: tag x exists", "exit-code": 5]
      ])
    let text = Run(FakeEndpoint(.fails("disk1: tag x exists", exitCode: 5)))
    #expect(await text("save --tag x") == .conflict)
    #expect(text.out.text == Run.saveID + "\n")
  }

  @Test("a job that cannot be started has no id on stdout") func notStarted() async {
    let error = QMPError(.genericError, "machine default is busy with j0", kind: "inUse")
    let run = Run(FakeEndpoint(.refusesStart(error, times: 1)))
    #expect(await run("save --tag x") == .inUse)
    #expect(run.out.text.isEmpty)
    #expect(run.err.text == "snapjob: machine default is busy with j0\n")
  }

  @Test("options become the members of the command") func members() async {
    let save = Run()
    let options = "--replace --disk-only --auto-dismiss --note why --job-id j1 --device disk1"
    #expect(await save("save --tag x \(options)") == .done)
    #expect(
      save.endpoint.arguments(of: "snapshot-save") == [
        "job-id": "j1", "tag": "x", "vmstate": "disk1", "devices": ["disk1"], "x-disk-only": true,
        "x-replace": true, "x-auto-dismiss": true, "x-note": "why",
      ])
    let load = Run()
    #expect(await load("load --tag x --save-current y --vmstate disk1") == .done)
    #expect(
      load.endpoint.arguments(of: "snapshot-load") == [
        "job-id": "load-20261121-041029-00ab", "tag": "x", "vmstate": "disk1",
        "devices": ["disk0", "disk1"], "x-save-current": "y",
      ])
    #expect(load.out.text.contains("Saved the present state as \"y\" and loaded \"x\" on 2 disks"))
    let delete = Run()
    #expect(await delete("delete --tag a b c") == .done)
    #expect(
      delete.endpoint.arguments(of: "snapshot-delete") == [
        "job-id": "delete-20261121-041029-00ab", "tag": "a", "devices": ["disk0", "disk1"],
        "x-more-tags": ["b", "c"], "x-must-exist": true,
      ])
    #expect(delete.out.lines.last?.hasSuffix("; 64 KiB freed.") == true)
    let missing = Run()
    #expect(await missing("delete --tag a --missing-ok") == .done)
    #expect(missing.endpoint.arguments(of: "snapshot-delete")?["x-must-exist"] == nil)
  }

  @Test("without --device the covered nodes are meant") func covered() async {
    let run = Run(
      FakeEndpoint(nodes: [
        FakeEndpoint.disk("a", "/a"), FakeEndpoint.disk("b", "/b", isReadOnly: true),
        FakeEndpoint.disk("c", "/c", isExcluded: true), FakeEndpoint.disk("d", "/d"),
      ]))
    #expect(await run("save --tag x") == .done)
    let arguments = run.endpoint.arguments(of: "snapshot-save")
    #expect(arguments?.texts("devices") == ["a", "d"])
    // The machine's own node is not among them: the first is taken.
    #expect(arguments?.text("vmstate") == "a")
  }

  @Test("a machine without disks is not found, with the next step") func noDisks() async {
    let run = Run(FakeEndpoint(nodes: []))
    #expect(await run("save --tag x") == .notFound)
    #expect(run.err.text.contains("snapjob node add NODE FILE"))
    let excluded = Run(FakeEndpoint(nodes: [FakeEndpoint.disk("a", "/a", isExcluded: true)]))
    #expect(await excluded("save --tag x") == .notFound)
    #expect(excluded.err.text.contains("--device NODE"))
  }

  @Test("files make a one-off machine, and --vmstate may name one of them") func files() async {
    let run = Run(
      FakeEndpoint(nodes: [
        FakeEndpoint.disk("disk0", "/work dir/a.qcow2"), FakeEndpoint.disk("disk1", "/b.qcow2"),
      ]))
    #expect(await run("save --tag x --file a.qcow2 /b.qcow2 --vmstate /b.qcow2") == .done)
    #expect(run.door.requests.first?.files == ["/work dir/a.qcow2", "/b.qcow2"])
    #expect(run.endpoint.arguments(of: "snapshot-save")?.text("vmstate") == "disk1")
  }

  @Test("a concluded job of the same id makes room") func sameID() async throws {
    let run = Run()
    #expect(await run("save --tag x --job-id j1") == .done)
    #expect(run.endpoint.arguments(of: "job-dismiss") == nil)
    #expect(await run("save --tag y --job-id j1") == .done)
    #expect(run.endpoint.arguments(of: "job-dismiss") == ["id": "j1"])
  }

  @Test("a dry run prints the plan and starts nothing") func dryRun() async throws {
    let plan: QMPValue = [
      ["node": "disk0", "filename": "/a", "action": "gets snapshot x", "bytes-to-write": 65536]
    ]
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-plan", with: plan)
    #expect(await run("save --tag x --dry-run") == .done)
    #expect(run.out.text == "disk0: /a: gets snapshot x (64 KiB to write)\n")
    #expect(run.endpoint.arguments(of: "snapshot-save") == nil)
    #expect(run.endpoint.arguments(of: "x-snapjob-plan")?.text("command") == "snapshot-save")
    let json = Run()
    json.endpoint.reply(to: "x-snapjob-plan", with: plan)
    #expect(await json("save --tag x --dry-run --json --detach") == .done)
    #expect(try json.jsonLines() == [plan])
    #expect(json.spawner.arguments.isEmpty)
  }

  @Test("a job that did nothing is not said to have done something") func nothingDone() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-query-jobs",
      with: [["id": .string(Run.saveID), "status": "concluded", "exit-code": 0]])
    #expect(await run("save --tag x --exist-ok") == .done)
    #expect(
      run.out.lines.last
        == "\"x\" is complete on 2 disks (disk0, disk1) already; nothing was written.")
  }

  @Test("a delete names the tags that were there") func deletedTags() async {
    let run = Run()
    let reply: QMPValue = [
      [
        "id": "delete-20261121-041029-00ab", "status": "concluded", "exit-code": 0,
        "result": ["bytes-written": 1, "bytes-freed": 65536, "deleted": ["a", "c"]],
      ]
    ]
    run.endpoint.reply(to: "x-snapjob-query-jobs", with: reply)
    #expect(await run("delete --tag a b c --missing-ok") == .done)
    #expect(run.out.lines.last?.hasPrefix("Deleted \"a\", \"c\" on 2 disks") == true)
  }

  @Test("a dry run says what becomes free") func dryRunFrees() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-plan",
      with: [
        [
          "node": "disk0", "filename": "/a", "action": "delete snapshot 'x'",
          "bytes-to-write": 65536, "bytes-to-free": 131_072,
        ],
        [
          "node": "disk1", "filename": "/b", "action": "has no such snapshot",
          "bytes-to-write": 0, "bytes-to-free": 0,
        ],
      ])
    #expect(await run("delete --tag x --dry-run") == .done)
    #expect(
      run.out.text == """
        disk0: /a: delete snapshot 'x' (64 KiB to write, 128 KiB to free)
        disk1: /b: has no such snapshot

        """)
  }
}
