import QMP
import Testing

@testable import SnapjobCLI

@Suite struct PruneCommandTests {
  private static let verdicts: QMPValue = [
    ["tag": "n1", "action": "remove", "reason": "old"],
    ["tag": "n2", "action": "remove", "reason": "old"],
    ["tag": "n3", "action": "keep", "reason": "new"],
  ]
  private static let table = """
    ACTION  TAG  REASON
    remove  n1   old
    remove  n2   old
    keep    n3   new

    """
  private static let jobID = "delete-20261121-041029-00ab"

  private func makeRun(_ verdicts: QMPValue = Self.verdicts, answer: String? = nil) -> Run {
    let run = Run(answer: answer)
    run.endpoint.reply(to: "x-snapjob-prune-plan", with: verdicts)
    return run
  }

  @Test("All removals are one job, after the list of what stays and goes") func removes() async {
    let run = makeRun()
    #expect(await run("prune --match n* --keep-last 1 --note why") == .done)
    #expect(run.out.text.hasPrefix(Self.table + Self.jobID + "\nDeleted \"n1\", \"n2\" on"))
    #expect(
      run.endpoint.arguments(of: "x-snapjob-prune-plan")
        == ["match": "n*", "keep-last": 1, "devices": ["disk0", "disk1"]])
    #expect(
      run.endpoint.arguments(of: "snapshot-delete") == [
        "job-id": .string(Self.jobID), "tag": "n1", "devices": ["disk0", "disk1"],
        "x-more-tags": ["n2"], "x-must-exist": true, "x-note": "why",
      ])
  }

  @Test("A dry run lists and starts nothing") func dryRun() async throws {
    let text = makeRun()
    #expect(await text("prune --match n* --keep-last 1 --dry-run") == .done)
    #expect(text.out.text == Self.table)
    let json = makeRun()
    #expect(await json("prune --match n* --keep-last 1 --dry-run --json") == .done)
    #expect(try json.jsonLines() == [Self.verdicts])
    for run in [text, json] { #expect(run.endpoint.arguments(of: "snapshot-delete") == nil) }
  }

  @Test("With --json there are the lines of the job alone") func json() async throws {
    let run = makeRun()
    #expect(await run("prune --match n* --keep-last 1 --json") == .done)
    #expect(try run.jsonLines().first?.text("event") == "JOB_STATUS_CHANGE")
    #expect(try run.jsonLines().last?["return"]?.text("type") == "snapshot-delete")
  }

  @Test("Nothing to remove is a sentence and success") func nothing() async throws {
    let text = makeRun([["tag": "n3", "action": "keep", "reason": "new"]])
    #expect(await text("prune --match n* --keep-last 1") == .done)
    #expect(text.out.lines.last == "Nothing to remove.")
    let json = makeRun([])
    #expect(await json("prune --match n* --keep-last 1 --json") == .done)
    #expect(try json.jsonLines() == [["return": [:]]])
    for run in [text, json] { #expect(run.endpoint.arguments(of: "snapshot-delete") == nil) }
  }

  @Test("On a terminal it asks, unless told not to") func asks() async {
    let no = makeRun(answer: "n")
    #expect(await no("prune --match n* --keep-last 1") == .failed)
    #expect(
      no.err.text.hasPrefix("prune: delete 2 snapshots on 2 disks (disk0, disk1). Go on? [y/N] "))
    #expect(no.endpoint.arguments(of: "snapshot-delete") == nil)
    for (answer, option) in [("y", ""), ("n", " --yes")] {
      let run = makeRun(answer: answer)
      #expect(await run("prune --match n* --keep-last 1\(option)") == .done)
      #expect(run.endpoint.arguments(of: "snapshot-delete") != nil)
    }
  }

  @Test("Detached work is handed over, and its worker lists nothing again") func detached() async {
    let starter = makeRun()
    // The fake process ends with 7, which is passed on.
    #expect(await starter("prune --match n* --keep-last 1 --detach").rawValue == 7)
    #expect(starter.out.text == Self.table)
    #expect(starter.spawner.arguments.first?.last == "--x-detached-worker")
    let worker = makeRun()
    #expect(await worker("prune --match n* --keep-last 1 --detach --x-detached-worker") == .done)
    #expect(worker.out.lines.first == Self.jobID)
  }
}
