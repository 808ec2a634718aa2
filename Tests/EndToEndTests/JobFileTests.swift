import TestOracles
import Testing

/// `snapjob run` on real images.
@Suite("Job files") struct JobFileTests {
  private func write(_ program: Program, _ text: String) throws {
    try Command.run(
      "sh", ["-c", "cat > \"$1\"", "sh", program.path("jobs.yaml")], input: Array(text.utf8))
  }

  private func makeImages(_ program: Program) throws {
    for disk in program.disks { try QemuImg.create(program.path(disk), size: "1M") }
  }

  @Test("a file adds its machine, saves, and prunes what it saved before")
  func nightly() throws {
    let program = try Program()
    try makeImages(program)
    try write(
      program,
      """
      machine: web01
      disks: {root: disk0.qcow2, data: disk1.qcow2}
      jobs:
        - snapshot-save: {tag: "nightly-{date}", x-replace: true}
        - prune: {match: "nightly-*", keep-last: 1}
      """)
    let rehearsal = try program.run("run", "jobs.yaml", "--dry-run").text
    #expect(rehearsal.contains("web01: root: \(program.path("disk0.qcow2")): register"))
    #expect(rehearsal.contains("root: \(program.path("disk0.qcow2")): "))
    #expect(try program.tags() == [[], []])
    #expect(!(try program.run("machine", "list").text.contains("web01")))

    let lines = try program.run("run", "jobs.yaml").text.split(separator: "\n")
    #expect(lines.first?.hasPrefix("save-") == true)
    #expect(lines.contains { $0.hasPrefix("Saved \"nightly-") && $0.contains("of web01") })
    try program.run("-m", "web01", "save", "--tag", "nightly-late")
    try program.run("run", "jobs.yaml", "--json")
    let tags = try program.tags()
    #expect(tags[0].count == 1 && tags[0][0].hasPrefix("nightly-2"))
    #expect(tags[0] == tags[1])
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
    #expect(try program.attempt(["-m", "web01", "check"]).status == 0)
  }

  @Test("two machines are saved under one commit, or neither")
  func group() throws {
    let program = try Program()
    try makeImages(program)
    try write(
      program,
      """
      machines:
        web01: {disks: {root: disk0.qcow2}}
        db01: {disks: {root: disk1.qcow2}}
      transaction: grouped
      jobs:
        - {machine: web01, snapshot-save: {tag: both, job-id: web}}
        - {machine: db01, snapshot-save: {tag: both, job-id: db}}
      """)
    let output = try program.run("run", "jobs.yaml", "--json").text
    let lines = try output.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
    for id in ["web", "db"] {
      let statuses = lines.filter { $0["data"]?["id"]?.string == id }
        .compactMap { $0["data"]?["status"]?.string }
      #expect(
        statuses == ["created", "running", "waiting", "pending", "concluded"], "\(id): \(statuses)")
      #expect(lines.contains { $0["return"]?["id"]?.string == id })
    }
    #expect(try program.tags() == [["both"], ["both"]])
    // The tag is there already on one machine only: the other one must not get it either.
    try program.run("-m", "db01", "delete", "--tag", "both", "--yes")
    let failed = try program.attempt(["run", "jobs.yaml"])
    #expect(failed.status == 5)
    #expect(failed.standardError.contains("jobs.yaml:6: "))
    #expect(try program.tags() == [["both"], []])
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }

  @Test(
    "a wrong file ends with code 9 and its line, and changes nothing",
    arguments: [
      ("  - snapshot-save: {tag: t}\n  - snapshot-safe: {tag: t}", 4),
      ("  - snapshot-save: {tag: t}\n  - snapshot-save: {tag: u, devices: [disk9]}", 4),
      ("  - snapshot-save: {tag: t}\n  - snapshot-save: {tag: u, vmstate: disk9}", 4),
    ])
  func wrong(jobs: String, line: Int) throws {
    let program = try Program()
    try makeImages(program)
    try write(program, "disks: {disk0: disk0.qcow2, disk1: disk1.qcow2}\njobs:\n\(jobs)\n")
    let before = try Command.sha256(ofFile: program.path("disk0.qcow2"))
    for option in ["--json", "--dry-run"] {
      let result = try program.attempt(["run", "jobs.yaml", option])
      #expect(result.status == 9)
      #expect(result.standardError.hasPrefix("snapjob: jobs.yaml:\(line): "))
    }
    #expect(try Command.sha256(ofFile: program.path("disk0.qcow2")) == before)
    #expect(!(try program.run("node", "list").text.contains("disk0")))
    #expect(try JSONValue(parsing: program.run("query-jobs", "--json").text).array?.count == 0)
  }

  @Test("a disk that cannot be read, or is another one in the catalog, refuses the file")
  func wrongDisk() throws {
    let program = try Program()
    try program.makeDisks()
    for (disks, words) in [
      ("disk0: disk1.qcow2", "snapjob machine set default --file disk0="),
      ("other: disk0.qcow2", "is node 'disk0' of default already"),
      ("other: missing.qcow2", "missing.qcow2"),
    ] {
      try write(program, "jobs: [{snapshot-save: {tag: t}}]\ndisks:\n  \(disks)\n")
      let result = try program.attempt(["run", "jobs.yaml"])
      #expect(result.status == 9)
      #expect(result.standardError.hasPrefix("snapjob: jobs.yaml:3: "), "\(result.standardError)")
      #expect(result.standardError.contains(words), "\(result.standardError)")
    }
    #expect(try program.tags() == [[], []])
  }

  @Test("jobs after one that fails are not started")
  func stops() throws {
    let program = try Program()
    try program.makeDisks()
    try write(
      program,
      """
      jobs:
        - snapshot-load: {tag: missing}
        - snapshot-save: {tag: after}
      """)
    let result = try program.attempt(["run", "jobs.yaml", "--json"])
    #expect(result.status == 4)
    let last = try JSONValue(parsing: String(result.text.split(separator: "\n").last ?? ""))
    #expect(last["error"]?["exit-code"]?.int == 4)
    #expect(try program.tags() == [[], []])
  }
}
