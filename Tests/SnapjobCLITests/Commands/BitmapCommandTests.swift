import QMP
import Testing

@testable import SnapjobCLI

@Suite struct BitmapCommandTests {
  private static func bitmap(
    _ name: String, state: String = "consistent", dirty: QMPValue = 196_608,
    holder: QMPValue = .null
  ) -> QMPValue {
    [
      "node": "disk0", "name": .string(name), "granularity": 65536, "enabled": true,
      "state": .string(state), "dirty-bytes": dirty, "holder": holder, "persistent": true,
    ]
  }

  @Test("Bitmaps are a table, with who records into them") func list() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-bitmap-list",
      with: [
        Self.bitmap("daily"), Self.bitmap("lost", state: "inconsistent", dirty: .null),
        Self.bitmap("now", state: "in-use", dirty: .null, holder: "qemu (pid 7)"),
      ])
    #expect(await run("bitmap list") == .done)
    #expect(
      run.out.text == """
        NODE   BITMAP  GRANULARITY  RECORDING    DIRTY  STATE
        disk0  daily        64 KiB  yes        192 KiB  consistent
        disk0  lost         64 KiB  yes              -  inconsistent
        disk0  now          64 KiB  yes              -  in use by qemu (pid 7)

        """)
  }

  @Test("With --json there are the endpoint's values alone") func json() async throws {
    let run = Run()
    let ranges: QMPValue = [["node": "disk0", "offset": 0, "length": 65536]]
    run.endpoint.reply(to: "x-snapjob-bitmap-ranges", with: ranges)
    #expect(await run("bitmap show disk0 daily --json") == .done)
    #expect(try run.jsonLines() == [ranges])
    #expect(
      run.endpoint.arguments(of: "x-snapjob-bitmap-ranges") == ["node": "disk0", "name": "daily"])
  }

  @Test("Ranges are a table with their sum, or the sentence that there are none")
  func show() async {
    let run = Run()
    run.endpoint.reply(
      to: "x-snapjob-bitmap-ranges", with: [["node": "disk0", "offset": 0, "length": 65536]])
    #expect(await run("bitmap show disk0 daily") == .done)
    #expect(run.out.text.hasSuffix("Bitmap \"daily\" marks 64 KiB in 1 range.\n"))
    let empty = Run()
    empty.endpoint.reply(to: "x-snapjob-bitmap-ranges", with: [])
    #expect(await empty("bitmap show disk0 daily") == .done)
    #expect(empty.out.text == "Bitmap \"daily\" marks nothing.\n")
  }

  @Test("An addition is persistent, and says its size and state if they are given")
  func add() async {
    let run = Run()
    #expect(await run("bitmap add disk0 daily --granularity 4k --disabled") == .done)
    #expect(
      run.endpoint.arguments(of: "block-dirty-bitmap-add") == [
        "node": "disk0", "name": "daily", "granularity": 4096, "persistent": true,
        "disabled": true,
      ])
    #expect(run.out.text == "Added bitmap \"daily\" on disk0.\n")
    let plain = Run()
    #expect(await plain("bitmap add disk1 daily --quiet") == .done)
    #expect(
      plain.endpoint.arguments(of: "block-dirty-bitmap-add")
        == ["node": "disk1", "name": "daily", "persistent": true])
    #expect(plain.out.text.isEmpty)
  }

  @Test(
    "Each verb is one command on one bitmap",
    arguments: [
      ("remove", "Removed"), ("clear", "Cleared"), ("enable", "Enabled"),
      ("disable", "Disabled"),
    ])
  func verbs(verb: String, word: String) async {
    let run = Run()
    #expect(await run("bitmap \(verb) disk1 daily") == .done)
    #expect(
      run.endpoint.arguments(of: "block-dirty-bitmap-\(verb)")
        == ["node": "disk1", "name": "daily"])
    #expect(run.out.text == "\(word) bitmap \"daily\" on disk1.\n")
  }

  @Test("A source of a merge may be on another node") func merge() async {
    let run = Run()
    #expect(await run("bitmap merge disk0 weekly monday disk1/tuesday") == .done)
    #expect(
      run.endpoint.arguments(of: "block-dirty-bitmap-merge") == [
        "node": "disk0", "target": "weekly",
        "bitmaps": ["monday", ["node": "disk1", "name": "tuesday"]],
      ])
  }

  @Test("A repair says whether there was something to repair") func repair() async {
    for (isRepaired, sentence) in [
      (true, "Repaired bitmap \"daily\" on disk0: the whole disk counts as changed.\n"),
      (false, "Nothing to repair: bitmap \"daily\" on disk0 is consistent.\n"),
    ] {
      let run = Run()
      run.endpoint.reply(to: "x-snapjob-bitmap-repair", with: ["repaired": .bool(isRepaired)])
      #expect(await run("bitmap repair disk0 daily") == .done)
      #expect(run.out.text == sentence)
    }
  }

  @Test("What has a slash is a file: the machine is made of it alone") func file() async {
    let run = Run()
    #expect(await run("bitmap clear ./a.qcow2 daily") == .done)
    #expect(run.door.requests.map(\.files) == [["/work dir/a.qcow2"]])
    #expect(
      run.endpoint.arguments(of: "block-dirty-bitmap-clear") == ["node": "disk0", "name": "daily"])
  }

  @Test("What is neither a node nor a file is not found") func unknown() async {
    let run = Run()
    #expect(await run("bitmap clear none daily") == .notFound)
    #expect(run.err.text.contains("'none' is neither a node of the machine nor a file here"))
    #expect(run.endpoint.arguments(of: "block-dirty-bitmap-clear") == nil)
  }

  @Test("A save clears bitmaps on all its disks, or on one") func clearWithSave() async {
    let run = Run()
    #expect(await run("save --tag t --clear-bitmap daily --clear-bitmap disk1/weekly") == .done)
    #expect(
      run.endpoint.arguments(of: "snapshot-save")?["x-clear-bitmaps"] == [
        ["node": "disk0", "name": "daily"], ["node": "disk1", "name": "daily"],
        ["node": "disk1", "name": "weekly"],
      ])
  }
}
