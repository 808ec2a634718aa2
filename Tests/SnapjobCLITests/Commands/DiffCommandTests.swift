import QMP
import Testing

@testable import SnapjobCLI

@Suite struct DiffCommandTests {
  private static let ranges: QMPValue = [
    ["node": "disk0", "offset": 0, "length": 65536],
    ["node": "disk1", "offset": 1_048_576, "length": 131_072],
  ]

  @Test("Ranges are an aligned table with a total") func table() async {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-diff", with: Self.ranges)
    #expect(await run("diff --from a --to b") == .done)
    #expect(
      run.out.text == """
        NODE    OFFSET  LENGTH     SIZE
        disk0        0   65536   64 KiB
        disk1  1048576  131072  128 KiB
        192 KiB in 2 ranges may differ on 2 disks (disk0, disk1).

        """)
    #expect(
      run.endpoint.arguments(of: "x-snapjob-diff")
        == ["from": "a", "to": "b", "devices": ["disk0", "disk1"], "progress": true])
  }

  @Test("With --json there is the array alone") func json() async throws {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-diff", with: Self.ranges)
    #expect(await run("diff --from a --to b --json") == .done)
    #expect(try run.jsonLines() == [Self.ranges])
  }

  @Test("Nothing that differs is said") func nothing() async {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-diff", with: [])
    #expect(await run("diff --from a --to b --device disk1") == .done)
    #expect(run.out.text == "Nothing differs on 1 disk (disk1).\n")
  }

  @Test(
    "current is the present state, and tag:current a snapshot of that name",
    arguments: [
      ("a", "current", "a", nil), ("current", "b", "current", "b"),
      ("tag:a", "tag:current", "a", "current"), ("a", "tag:tag:x", "a", "tag:x"),
    ])
  func names(from: String, to: String, oldTag: String, newTag: String?) async {
    let run = Run()
    run.endpoint.reply(to: "x-snapjob-diff", with: [])
    #expect(await run(["diff", "--from", from, "--to", to]) == .done)
    let arguments = run.endpoint.arguments(of: "x-snapjob-diff")
    #expect(arguments?.text("from") == oldTag)
    #expect(arguments?["to"]?.asText == newTag)
  }

  @Test("Both ends are needed") func usage() async {
    #expect(await Run()("diff --from a") == .usage)
    #expect(await Run()("diff --to current") == .usage)
  }
}
