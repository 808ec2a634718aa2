import QMP
import Testing

@testable import SnapjobCLI

@Suite struct ListingTests {
  private static let snapshots: QMPValue = [
    [
      "machine": "web01", "tag": "clean", "date": "2026-11-21T04:10:29Z",
      "devices": [
        ["node": "disk0", "id": "1", "vm-state-size": 3_145_728, "disk-size": 10_737_418_240],
        ["node": "disk1", "id": "1", "vm-state-size": 0, "disk-size": 10_737_418_240],
      ],
      "complete": true,
    ],
    [
      "machine": "web01", "tag": "twice", "date": "not a date", "note": "a remark",
      "devices": [
        ["node": "disk0", "id": "2", "vm-state-size": 0, "disk-size": 1],
        ["node": "disk0", "id": "3", "vm-state-size": 0, "disk-size": 1],
      ],
      "complete": false,
    ],
  ]

  private static func survey(_ snapshots: QMPValue, failures: [QMPValue] = []) -> QMPValue {
    ["snapshots": snapshots, "failures": .array(failures)]
  }

  @Test("what cannot be read hides nothing else, and gives the exit code")
  func unread() async throws {
    let failures: [QMPValue] = [
      [
        "machine": "m1", "node": "d1", "filename": "/b.qcow2", "exit-code": 4,
        "problem": "d1: /b.qcow2: cannot open it",
      ],
      [
        "machine": "m2", "node": "d0", "filename": "/c.qcow2", "exit-code": 9,
        "problem": "/c.qcow2 is no qcow2 image",
      ],
    ]
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-survey", with: Self.survey(Self.snapshots, failures: failures))
    #expect(await run("list -A") == .notFound)
    #expect(run.out.lines.count == 3)
    #expect(
      run.err.text == """
        snapjob: m1: d1: /b.qcow2: cannot open it
        snapjob: m2: d0: /c.qcow2 is no qcow2 image

        """)
    let json = Run()
    json.endpoint.reply(to: "x-snapjob-survey", with: Self.survey([], failures: failures))
    #expect(await json("list --json") == .notFound)
    #expect(json.out.text == "[]\n")
  }

  @Test("nothing to look at is not found", arguments: ["check", "verify", "verify --tag t"])
  func nothingToLookAt(line: String) async {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-check", with: [])
    run.endpoint.reply(to: "x-snapjob-verify", with: [])
    run.endpoint.reply(to: "x-snapjob-machine-show", with: ["name": "web01", "nodes": []])
    #expect(await run("-m web01 \(line)") == .notFound)
    #expect(run.err.text.contains("machine web01 has no disks to look at"))
    #expect(run.err.text.contains("snapjob -m web01 node add NODE FILE"))
    let excluding = Run()
    excluding.endpoint.reply(to: "x-snapjob-check", with: [])
    excluding.endpoint.reply(to: "x-snapjob-verify", with: [])
    excluding.endpoint.reply(
      to: "x-snapjob-machine-show",
      with: ["name": "web01", "nodes": [["node-name": "disk0", "excluded": true]]])
    #expect(await excluding("-m web01 \(line)") == .notFound)
    #expect(excluding.err.text.contains("all disks of machine web01 are excluded"))
  }

  @Test("snapshots are an aligned table") func table() async {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-survey", with: Self.survey(Self.snapshots))
    #expect(await run("list") == .done)
    let time = Moment(microseconds: 1_795_234_229_000_000).localText
    #expect(
      run.out.text == """
        TAG    DATE                 VM STATE  DISKS           COMPLETE  NOTE
        clean  \(time)     3 MiB  disk0,disk1     yes       -
        twice  not a date                  -  disk0(ids 2 3)  no        a remark

        """)
  }

  @Test("sizes are columns of their own, and disks that lack a snapshot are named") func sizes()
    async
  {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-survey",
      with: Self.survey([
        [
          "tag": "t", "date": "then", "devices": [["node": "disk0", "id": "1"]],
          "complete": false, "missing": ["disk1", "disk2", "disk3", "disk4"], "used": 1024,
          "referenced": 4096,
        ]
      ]))
    #expect(await run("list --sizes") == .done)
    #expect(
      run.out.text == """
        TAG  DATE  VM STATE   USED  REFERENCED  DISKS  COMPLETE
        t    then         -  1 KiB       4 KiB  disk0  no, lacks disk1,disk2,disk3 and 1 more

        """)
    #expect(run.endpoint.arguments(of: "x-snapjob-survey") == ["sizes": true])
  }

  @Test("with --json the array is passed on as it came") func json() async throws {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-survey", with: Self.survey(Self.snapshots))
    #expect(await run("list --json --device disk0") == .done)
    #expect(try run.jsonLines() == [Self.snapshots])
    #expect(run.endpoint.arguments(of: "x-snapjob-survey") == ["devices": ["disk0"]])
  }

  @Test("all machines have a column of their own") func machines() async {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-survey", with: Self.survey(Self.snapshots))
    #expect(await run("list -A") == .done)
    #expect(run.out.text.hasPrefix("MACHINE  TAG"))
    #expect(run.endpoint.arguments(of: "x-snapjob-survey") == ["all-machines": true])
  }

  @Test("nothing to list is said on stderr, and an empty array in JSON") func empty() async throws {
    let text = Run()
    text.endpoint.reply(to: "x-snapjob-survey", with: Self.survey([]))
    #expect(await text("list") == .done)
    #expect(text.out.text.isEmpty)
    #expect(text.err.text == "snapjob: no snapshots\n")
    let json = Run()
    json.endpoint.reply(to: "x-snapjob-survey", with: Self.survey([]))
    #expect(await json("list --json") == .done)
    #expect(json.out.text == "[]\n")
    #expect(json.err.text.isEmpty)
  }

  @Test("query-jobs --json is exactly what QMP returns") func queryJobs() async throws {
    let jobs: QMPValue = [
      ["current-progress": 1, "status": "concluded", "total-progress": 1, "type": "x", "id": "j"]
    ]
    let run = Run()
    run.endpoint.reply(to: "query-jobs", with: jobs)
    #expect(await run("query-jobs --json") == .done)
    #expect(run.out.text == jobs.jsonText + "\n")
    #expect(run.endpoint.calls.map(\.command) == ["query-jobs"])
    #expect(await run("jobs -A --json") == .done)
    #expect(run.endpoint.calls.last?.arguments == ["x-all-machines": true])
  }

  @Test("jobs are an aligned table, with errors if there are any") func jobTable() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-query-jobs",
      with: [
        [
          "id": "j1", "type": "snapshot-save", "tag": "x", "status": "concluded",
          "current-progress": 1024, "total-progress": 2048, "error": "no", "created": "then",
          "machine": "web01",
        ]
      ])
    #expect(await run("query-jobs --history -A") == .done)
    #expect(
      run.out.text == """
        ID  MACHINE  TYPE           TAG  STATUS          PROGRESS  CREATED  ERROR
        j1  web01    snapshot-save  x    concluded  1 KiB / 2 KiB  then     no

        """)
    #expect(
      run.endpoint.arguments(of: "x-snapjob-query-jobs")
        == ["history": true, "all-machines": true])
  }

  @Test("node list tells what jobs cover") func nodes() async throws {
    let endpoint = FakeEndpoint(nodes: [
      FakeEndpoint.disk("disk0", "/a"), FakeEndpoint.disk("disk1", "/b", isExcluded: true),
    ])
    let run = Run(endpoint)
    #expect(await run("node list") == .done)
    #expect(
      run.out.text == """
        NODE   COVERED   VM STATE  FILE
        disk0  yes       yes       /a
        disk1  excluded  -         /b

        """)
    let json = Run(endpoint)
    #expect(await json("node list --json") == .done)
    #expect(try json.jsonLines().first?.elements.first?.text("machine") == "default")
  }
}
