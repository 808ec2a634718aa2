import QMP
import Testing

@testable import SnapjobCLI

@Suite struct ConfirmationTests {
  private static let risk: QMPValue = [
    "machine": "web01", "devices": 2, "bytes": 3_435_973_836,
  ]

  @Test("a load asks on a terminal what it costs, in these words") func loadQuestion() async {
    let run = Run(answer: "y")
    run.endpoint.reply(to: "x-snapjob-bytes-at-risk", with: Self.risk)
    #expect(await run("load --tag before-upgrade") == .done)
    #expect(
      run.err.text.hasPrefix(
        "web01: load before-upgrade on 2 disks; 3.2 GiB written since then are in no snapshot and "
          + "will be lost. Go on? [y/N] (to keep them: --save-current TAG) "))
  }

  @Test(
    "any answer but yes changes nothing", arguments: ["", "n", "no", "yess", "Y E S"])
  func refused(answer: String) async {
    let run = Run(answer: answer)
    #expect(await run("load --tag x") == .failed)
    #expect(run.endpoint.arguments(of: "snapshot-load") == nil)
    #expect(run.err.text.hasSuffix("snapjob: not confirmed; nothing was changed\n"))
  }

  @Test("yes is accepted in the usual spellings", arguments: ["y", "Y", "yes", "YES"])
  func accepted(answer: String) async {
    let run = Run(answer: answer)
    #expect(await run("delete --tag a b") == .done)
    #expect(run.err.text.hasPrefix("default: delete a, b on 2 disks. Go on? [y/N] "))
  }

  @Test(
    "nothing is asked without a terminal, with --yes, or for a save",
    arguments: [
      ("load --tag x", nil), ("delete --tag x", nil), ("load --tag x -y", "n"),
      ("delete --tag x --yes", "n"), ("save --tag x", "n"), ("load --tag x --dry-run", "n"),
    ] as [(String, String?)])
  func silent(line: String, answer: String?) async {
    let run = Run(answer: answer)
    #expect(await run(line) == .done)
    #expect(!run.err.text.contains("Go on?"))
    #expect(run.endpoint.arguments(of: "x-snapjob-bytes-at-risk") == nil)
  }

  @Test("a load that keeps the present state says where") func saveCurrent() async {
    let run = Run(answer: "y")
    #expect(await run("load --tag x --save-current y --device disk1") == .done)
    #expect(
      run.err.text.hasPrefix(
        "default: load x on 1 disk; the present state is saved as y. Go on? [y/N] "))
  }

  @Test("a load that costs nothing says so") func nothingLost() async {
    let run = Run(answer: "y")
    #expect(await run("load --tag x") == .done)
    #expect(run.err.text.contains("on 2 disks; nothing written since then will be lost. Go on?"))
  }

  @Test("recover --forward has nothing to ask") func forward() async {
    let run = Run(answer: "n")
    #expect(await run("recover j1 --forward") == .done)
    #expect(run.err.text.contains("nothing is left to decide"))
  }
}
