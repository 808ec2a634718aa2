import QMP
import Snapjob
import TestOracles
import Testing

@Suite struct JobFileTests {
  private func read(_ text: String) throws(JobFileError) -> JobFile {
    try JobFile(
      parsing: text, path: "/etc/snapjob/nightly.yaml", machine: "default",
      placeholders: Placeholders(date: "2026-11-21", time: "041029", host: "vmhost"))
  }

  private func refusal(_ text: String) -> String? {
    #expect(throws: JobFileError.self) { _ = try read(text) }?.description
  }

  @Test func keepsEverythingThatAFileSays() throws {
    let file = try read(
      """
      machine: web01
      disks:
        root: web01.qcow2
        data: /srv/{host}/data.qcow2
      transaction: individual
      jobs:
        - snapshot-save:
            tag: "nightly-{date}-{time}"
            devices: [root]
            x-note: "{machine} on {host}, in {{braces}}"
            x-disk-only: true
        - prune: {match: nightly-*, keep-last: 7}
      """)
    #expect(!file.isGrouped)
    #expect(file.machines.map(\.name) == ["web01"])
    #expect(file.machines[0].disks.map(\.node) == ["root", "data"])
    #expect(
      file.machines[0].disks.map(\.file)
        == ["/etc/snapjob/web01.qcow2", "/srv/vmhost/data.qcow2"])
    #expect(file.machines[0].disks.map(\.line) == [3, 4])
    #expect(file.jobs.map(\.line) == [7, 12])
    #expect(file.jobs.map(\.machine) == ["web01", "web01"])
    guard case .command("snapshot-save", let arguments) = file.jobs[0].action else {
      Issue.record("\(file.jobs[0])")
      return
    }
    let values = QMPValue.object(arguments)
    #expect(values["tag"] == "nightly-2026-11-21-041029")
    #expect(values["devices"] == ["root"])
    #expect(values["x-note"] == "web01 on vmhost, in {braces}")
    #expect(values["x-disk-only"] == true)
    #expect(file.jobs[1].action == .prune(match: "nightly-*", keepLast: 7, devices: nil))
  }

  @Test func aFileWithoutAMachineIsForTheChosenOne() throws {
    let file = try read("jobs: [{snapshot-delete: {tag: 2026}}]")
    #expect(file.machines.map(\.name) == ["default"])
    #expect(file.jobs[0].machine == "default")
    #expect(file.jobs[0].action == .command("snapshot-delete", [.init("tag", "2026")]))
  }

  @Test func severalMachinesMakeAGroup() throws {
    let file = try read(
      """
      machines:
        web01: {disks: {root: /srv/web01.qcow2}}
        db01:
      transaction: grouped
      jobs:
        - machine: db01
          snapshot-save: {tag: t}
        - {machine: web01, snapshot-save: {tag: t}}
      """)
    #expect(file.isGrouped)
    #expect(file.machines.map(\.name) == ["web01", "db01"])
    #expect(file.jobs.map(\.machine) == ["db01", "web01"])
  }

  @Test(
    "what is wrong is told with its line",
    arguments: [
      ("", 1, "empty"),
      ("jobs: 3", 1, "list"),
      ("machine: a", 1, "no jobs"),
      ("jobs: []", 1, "at least one"),
      ("- a", 1, "needs keys"),
      ("machine: a\njob: []", 2, "no key 'job'"),
      ("jobs:\n - snapshot-save: {tag: t}\ntransaction: both", 3, "'both'"),
      ("jobs:\n - snapshot-shave: {tag: t}", 2, "no job 'snapshot-shave'"),
      ("jobs:\n - snapshot-save: {tag: t, tags: u}", 2, "no key 'tags'"),
      ("jobs:\n - snapshot-save:\n     tag: t\n     devices: disk0", 4, "list"),
      ("jobs:\n - snapshot-save:\n     tag: [t]", 3, "text"),
      ("jobs:\n - snapshot-save: {tag: t, x-disk-only: 1}", 2, "true or false"),
      ("jobs:\n - snapshot-save: {x-note: n}", 2, "needs a tag"),
      ("jobs:\n - snapshot-save: {tag: ''}", 2, "empty"),
      ("jobs:\n - snapshot-save: {tag: \"a\\nb\"}", 2, "control character"),
      ("jobs:\n - snapshot-save: {tag: t, job-id: 1a}", 2, "Invalid job ID"),
      (
        "jobs:\n - snapshot-save: {tag: t, job-id: a}\n - snapshot-save: {tag: u, job-id: a}", 3,
        "that of line 2"
      ),
      ("jobs:\n - snapshot-save: {tag: '{day}'}", 2, "{day} stands for nothing"),
      ("jobs:\n - snapshot-save: {tag: '{date'}", 2, "other half"),
      ("jobs:\n - snapshot-save: {tag: t, devices: [a, a]}", 2, "twice"),
      ("jobs:\n - snapshot-save: {tag: t, x-auto-finalize: false}", 2, "committed by itself"),
      ("jobs:\n - snapshot-save: {tag: t}\n   snapshot-load: {tag: t}", 3, "one job"),
      ("jobs:\n - prune: {match: a}", 2, "keep-last"),
      ("jobs:\n - prune: {match: a, keep-last: 0}", 2, "above 0"),
      ("transaction: grouped\njobs:\n - prune: {match: a, keep-last: 1}", 3, "no part in a group"),
      ("machines: {a: , b: }\njobs:\n - snapshot-save: {tag: t}", 3, "several machines"),
      ("machines: {a: }\njobs:\n - {machine: c, snapshot-save: {tag: t}}", 3, "'c'"),
      ("machine: a\nmachines: {b: }\njobs:\n - snapshot-save: {tag: t}", 1, "exclude each other"),
      ("disks: {0a: x}\njobs:\n - snapshot-save: {tag: t}", 1, "Invalid node-name"),
      ("disks:\n  a: x\n  b: ./x\njobs:\n - snapshot-save: {tag: t}", 3, "already"),
      ("jobs:\n - snapshot-save: {tag: t}\njobs: []", 1, "twice"),
      ("jobs:\n - snapshot-save: {tag: t", 3, "not YAML"),
      ("machine: a\njobs:\n\t- b", 3, "not YAML"),
      ("a: &x [1]\nb: [*x, *x]", 2, "aliases"),
      ("jobs: []\n---\njobs: []", 2, "not YAML"),
    ])
  func refusal(text: String, line: Int, words: String) {
    let message = refusal(text) ?? ""
    #expect(message.hasPrefix("/etc/snapjob/nightly.yaml:\(line): "), "\(message)")
    #expect(message.contains(words), "\(message)")
  }

  @Test func anAliasBombIsRefusedBeforeItGoesOff() {
    let names = (0..<30).map { "a\($0)" }
    var text = "a0: &a0 [x, x]\n"
    for (inner, outer) in zip(names, names.dropFirst()) {
      text += "\(outer): &\(outer) [*\(inner), *\(inner)]\n"
    }
    text += "? *a29\n: x\n"
    #expect(refusal(text)?.contains("aliases") == true)
  }

  @Test func deepNestingIsRefused() {
    let text = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
    #expect(refusal("jobs: \(text)")?.contains("nested deeper") == true)
    let deeper = String(repeating: "[", count: 100_000)
    #expect(refusal("jobs: \(deeper)")?.contains("nightly.yaml:") == true)
  }

  @Test func aFileThatIsTooLargeOrNoTextIsRefused() throws {
    let directory = try TemporaryDirectory()
    let placeholders = Placeholders(date: "d", time: "t", host: "h")
    for (name, script) in [
      ("large", "head -c 1048577 /dev/zero | tr '\\0' '#'"), ("bytes", "printf '\\377\\376'"),
    ] {
      let path = directory.path(name)
      try Command.run("sh", ["-c", "\(script) > \"$1\"", "sh", path])
      let error = #expect(throws: QMPError.self) {
        _ = try JobFile(contentsOf: path, machine: "m", placeholders: placeholders)
      }
      #expect(error?.kind == "refused")
      #expect(error?.desc.hasPrefix("\(path):1: ") == true)
    }
    let missing = #expect(throws: QMPError.self) {
      _ = try JobFile(
        contentsOf: directory.path("missing"), machine: "m", placeholders: placeholders)
    }
    #expect(missing?.kind == "notFound")
  }
}
