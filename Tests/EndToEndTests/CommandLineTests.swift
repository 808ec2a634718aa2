import Glibc
import TestOracles
import Testing

/// The program as a stranger uses it, on real images.
@Suite("Command line") struct CommandLineTests {
  @Test("the README's story works as written")
  func story() throws {
    let program = try Program()
    try QemuImg.create(program.path("disk1.qcow2"), size: "10G")
    try program.run("node", "create", "disk0", "disk0.qcow2", "--size", "10G")
    try program.run("node", "add", "disk1", "disk1.qcow2")
    try QemuIO.write(7, at: 5 << 30, length: 1 << 20, in: program.path("disk0.qcow2"))

    let save = try program.run("save", "--tag", "before-upgrade")
    let lines = save.text.split(separator: "\n")
    #expect(lines.count == 2 && lines[0].hasPrefix("save-"))
    #expect(try program.tags() == [["before-upgrade"], ["before-upgrade"]])
    #expect(try program.run("list").text.contains("before-upgrade"))

    try QemuIO.write(8, at: 5 << 30, length: 1 << 20, in: program.path("disk0.qcow2"))
    try program.run("load", "--tag", "before-upgrade", "--yes")
    try QemuIO.run(["read -P 7 5368709120 1048576"], on: program.path("disk0.qcow2"))

    try program.run("delete", "--tag", "before-upgrade", "--yes")
    #expect(try program.tags() == [[], []])
    let jobs = try JSONValue(parsing: program.run("query-jobs", "--json").text)
    #expect(jobs.array?.count == 3)
    try program.run("save", "--tag", "clean", "--file", "disk0.qcow2", "disk1.qcow2")
    #expect(try program.tags() == [["clean"], ["clean"]])
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
    #expect(try program.run("check").status == 0)
  }

  @Test("a disk that a virtual machine holds ends a save with code 6 and the machine's name")
  func held() throws {
    let program = try Program()
    try program.makeDisks()
    try program.run("save", "--tag", "old")
    let machine = try QemuVM([.init("disk1", program.path("disk1.qcow2"))], name: "web01")
    let result = try program.attempt(["save", "--tag", "t"])
    #expect(result.status == 6)
    #expect(result.standardError.contains("qemu-system-x86_64"))
    #expect(result.standardError.contains("-name web01"))
    #expect(try program.run("list").text.contains("old"))
    try machine.quit()
    try program.run("save", "--tag", "t")
  }

  @Test(
    "bad input ends with its own code and a sentence that names the file",
    arguments: [
      ("text", 9), ("empty", 9), ("short", 9), ("directory", 9), ("fifo", 9), ("missing", 4),
    ])
  func badInput(name: String, code: Int32) throws {
    let program = try Program()
    let file = program.path("\(name).qcow2")
    let script: String? =
      switch name {
      case "text": "yes text | head -c 70000 > \"$1\""
      case "empty": ": > \"$1\""
      case "short":
        "qemu-img create -q -f qcow2 \"$1\" 1G && head -c 60 \"$1\" > \"$1.cut\" && mv \"$1.cut\" \"$1\""
      case "directory": "mkdir \"$1\""
      case "fifo": "mkfifo \"$1\""
      default: nil
      }
    if let script { try Command.run("sh", ["-c", script, "sh", file]) }
    let result = try program.attempt(["save", "--tag", "t", "--file", file])
    #expect(result.status == code, "\(result.failure())")
    #expect(result.standardError.contains("\(name).qcow2"), "\(result.standardError)")
  }

  @Test("a job prepared in one process is committed or cancelled from another")
  func finalizeElsewhere() throws {
    let program = try Program()
    try program.makeDisks()
    try program.run("save", "--tag", "one", "--no-auto-finalize", "--job-id", "j1")
    #expect(try program.run("list", "--json").text.hasPrefix("[]"))
    #expect(try program.attempt(["save", "--tag", "other"]).status == 6)
    try program.run("job", "finalize", "j1")
    try program.run("job", "wait", "j1")
    #expect(try program.tags() == [["one"], ["one"]])

    try program.run("save", "--tag", "two", "--no-auto-finalize", "--job-id", "j2")
    try program.run("job", "cancel", "j2")
    #expect(try program.attempt(["job", "wait", "j2"]).status == 10)
    #expect(try program.tags() == [["one"], ["one"]])
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }

  @Test("a detached job goes on in a process of its own")
  func detached() throws {
    let program = try Program()
    try program.makeDisks()
    let id = try program.run("save", "--tag", "one", "--detach").text
      .split(separator: "\n").joined()
    try program.run("job", "wait", id)
    #expect(try program.tags() == [["one"], ["one"]])
  }

  @Test("load keeps the present state under another tag in the same commit")
  func saveCurrent() throws {
    let program = try Program()
    try program.makeDisks()
    try program.run("save", "--tag", "old")
    let old = try program.digests()
    try QemuIO.write(9, at: 0, length: 1 << 20, in: program.path("disk0.qcow2"))
    let present = try program.digests()
    try program.run("load", "--tag", "old", "--save-current", "present", "--yes")
    #expect(try program.digests() == old)
    try program.run("load", "--tag", "present", "--yes")
    #expect(try program.digests() == present)
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }

  @Test("verify finds both readers equal, and check what qemu-img's finds")
  func verify() throws {
    let program = try Program()
    try program.makeDisks()
    try program.run("save", "--tag", "old")
    try QemuIO.writeZeros(at: 0, length: 1 << 20, in: program.path("disk0.qcow2"))
    let result = try program.run("verify")
    #expect(result.text.contains("zero"))
    #expect(try program.run("check").status == 0)
  }

  @Test("two spellings of one letter are two tags")
  func tagsAreBytes() throws {
    let program = try Program()
    try program.makeDisks()
    try program.run("save", "--tag", "caf\u{e9}")
    #expect(try program.attempt(["delete", "--tag", "cafe\u{301}", "--yes"]).status == 4)
    try program.run("save", "--tag", "cafe\u{301}")
    try program.run("delete", "--tag", "caf\u{e9}", "--yes")
    let left = try JSONValue(parsing: program.run("list", "--json").text)
    #expect(left.array?.count == 1)
    try program.run("load", "--tag", "cafe\u{301}", "--yes")
    // Each is on one disk only; both go at once.
    try program.run("save", "--tag", "caf\u{e9}", "--device", "disk1")
    try program.run("delete", "--tag", "cafe\u{301}", "--device", "disk1", "--yes")
    let both = try program.run("delete", "--tag", "caf\u{e9}", "--tag", "cafe\u{301}", "--yes")
    #expect(both.text.contains("on 2 disks"))
    #expect(try program.tags() == [[], []])
    try program.run("save", "--tag", "cafe\u{301}")
    try program.run("load", "--tag", "cafe\u{301}", "--save-current", "caf\u{e9}", "--yes")
    #expect(try program.tags().map(\.count) == [2, 2])
  }

  @Test("two spellings of one letter are two machines, two bitmaps and two files")
  func namesAreBytes() throws {
    let program = try Program()
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
    for name in [composed, decomposed] {
      try QemuImg.create(program.path(name + ".qcow2"), size: "1M")
      try program.run("machine", "add", name, "--disk", "disk=\(name).qcow2")
      try program.run("-m", name, "bitmap", "add", "disk", composed)
      try program.run("-m", name, "bitmap", "add", "disk", decomposed)
    }
    try program.run("-m", decomposed, "save", "--tag", "one")
    #expect(try program.run("-m", composed, "list", "--json").text == "[]\n")
    let jobs = try JSONValue(parsing: program.run("-m", composed, "query-jobs", "--json").text)
    #expect(jobs.array?.isEmpty == true)
    try program.run(
      "-m", composed, "bitmap", "transfer", "--to-machine", decomposed, "--mapping",
      "disk/\(composed)=disk/x", "--mapping", "disk/\(decomposed)=disk/y")
    let bitmaps = try program.run("-m", decomposed, "bitmap", "list", "--json").text
    #expect(bitmaps.contains("\"x\"") && bitmaps.contains("\"y\""))
    // A name begins after the slash, whatever it begins with.
    try program.run("-m", composed, "bitmap", "add", "disk", "\u{301}z")
    try program.run("-m", composed, "bitmap", "merge", "disk", composed, "disk/\u{301}z")
    // A path begins behind the colon, and a word behind the quote.
    try program.run("-m", composed, "bitmap", "send", "--to", "file:\u{301}s")
    #expect(access(program.path("\u{301}s"), F_OK) == 0 && access(program.path("s"), F_OK) != 0)
    try program.run(
      "-m", composed, "qmp", "human-monitor-command",
      "{\"command-line\": \"savevm \\\"\u{301}v\\\"\"}")
    #expect(try program.run("-m", composed, "list", "--json").text.contains("\"\\u0301v\""))
    let socket = "unix:" + program.path("s")
    let server = try Server(program, ["-m", composed, "serve", "--qmp", socket])
    while access(program.path("s"), F_OK) != 0 {
      try #require(!server.process.hasEnded())
      usleep(10_000)
    }
    #expect(try program.attempt(["--connect", socket, "-m", composed, "list"]).status == 0)
    #expect(try program.attempt(["--connect", socket, "-m", decomposed, "list"]).status == 4)
    #expect(server.terminate() == 0)
  }

  @Test("the fence of a disk in an open commit is finished under another name, never taken back")
  func fenceUnderAnotherName() throws {
    let program = try Program()
    try program.makeDisks()
    try program.run("save", "--tag", "old")
    let killed = try program.attempt(["load", "--tag", "old", "--yes"], stopAt: "before-publish")
    #expect(killed.status == 137)
    let fenced = try fencedDisk(program)
    try Command.run("ln", ["-s", fenced, program.path("alias.qcow2")])
    let result = try program.attempt(["recover", "--abandon", "--file", "alias.qcow2"])
    #expect(result.status == 0, "\(result.failure())")
    try program.run("recover")
    for disk in program.disks {
      #expect(try QemuImg.check(program.path(disk)).isClean)
      #expect(
        try QemuImg.contentDigest(program.path(disk))
          == QemuImg.contentDigest(program.path(disk), snapshot: "old"))
    }
    let jobs = try program.run("query-jobs", "--json").text
    #expect(!jobs.contains("\"pending\""), "\(jobs)")
  }

  /// A disk that a killed commit has left fenced.
  private func fencedDisk(_ program: Program) throws -> String {
    try #require(program.disks.first { try !QemuImg.check(program.path($0)).isClean })
  }

  @Test("recovery keeps what a user does to a published disk, who can do nothing to a fenced one")
  func recoveryKeepsTheUsersSnapshot() throws {
    let program = try Program()
    try program.makeDisks()
    let fence = "snapjob commit pending: run snapjob recover"
    // The first disk is published before the second one is opened for it.
    let killed = try program.attempt(["save", "--tag", "t"], stopAt: "before-publish:2")
    #expect(killed.status == 137)
    let states = try program.disks.map { try QemuImg.check(program.path($0)) }
    for (disk, state) in zip(program.disks, states) {
      let path = program.path(disk)
      let attempt = try Command.attempt("qemu-img", ["snapshot", "-c", "mine", path])
      #expect((attempt.status == 0) == state.isClean)
      if !state.isClean { #expect(attempt.standardError.contains(fence)) }
    }
    try program.run("recover")
    let tags = try program.tags()
    for (index, state) in states.enumerated() {
      #expect(tags[index] == (state.isClean ? ["t", "mine"] : ["t"]))
    }
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }
}
