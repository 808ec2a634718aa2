import TestOracles
import Testing

/// What the program is started with: its descriptors, its directory, its terminal.
@Suite("Surroundings") struct SurroundingsTests {
  /// A program with one image that has nothing in it.
  private static func program() throws -> Program {
    let program = try Program()
    try QemuImg.create(program.path("a.qcow2"), size: "64M")
    return program
  }

  @Test(
    "a descriptor that is closed is not the next file's",
    arguments: ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
  func closedDescriptors(redirection: String) throws {
    let program = try Self.program()
    // As on any closed output, what cannot be written is a failure; the job is done all the same.
    let status: Int32 = redirection.contains(">&-") && !redirection.hasPrefix("2") ? 1 : 0
    let save = "save --tag one --job-id j1 --no-auto-finalize --file a.qcow2"
    #expect(try program.shell("snapjob \(save) \(redirection)").status == status)
    try program.run("job", "finalize", "j1")
    try program.run("job", "wait", "j1", "--timeout", "30")
    #expect(try program.shell("snapjob list --file a.qcow2 \(redirection)").status == status)
    #expect(try QemuImg.snapshotNames(program.path("a.qcow2")) == ["one"])
    #expect(try QemuImg.check(program.path("a.qcow2")).isClean)
    try program.run("catalog", "check")
  }

  @Test("a detached job that waits to be finalized keeps its descriptors to itself")
  func detachedAndPending() throws {
    let program = try Self.program()
    for tag in ["one", "two"] {
      let save = "save --tag \(tag) --job-id \(tag) --detach --no-auto-finalize --file a.qcow2"
      #expect(try program.shell("snapjob \(save)").text == "\(tag)\n")
      let pending = try program.shell(
        "until snapjob job show \(tag) | grep -q pending; do sleep 0.1; done\n"
          + "snapjob job finalize \(tag)")
      #expect(pending.status == 0, "\(pending.failure())")
      try program.run("job", "wait", tag, "--timeout", "30")
    }
    #expect(try QemuImg.snapshotNames(program.path("a.qcow2")) == ["one", "two"])
    #expect(try QemuImg.check(program.path("a.qcow2")).isClean)
    try program.run("catalog", "check")
  }

  @Test("a relative name in a directory that is gone names no file of another place")
  func removedDirectory() throws {
    let program = try Self.program()
    for (command, status) in [
      ("save --tag x --file a.qcow2", 4), ("check a.qcow2", 1), ("check ./a.qcow2", 1),
      ("verify ./a.qcow2", 4),
      ("node add n a.qcow2", 4), ("machine add m --disk a.qcow2", 4), ("list --file a.qcow2", 4),
      ("catalog backup b", 4), ("--catalog c.sqlite query-jobs", 4), ("devices save a.qcow2", 4),
    ] {
      let result = try program.shell(
        "mkdir gone; cd gone; rmdir ../gone; snapjob \(command)")
      #expect(result.status == status, "\(command): \(result.failure())")
      #expect(result.standardError.contains("working directory cannot be told"), "\(command)")
    }
    let absolute = try program.shell(
      "mkdir gone; cd gone; rmdir ../gone; snapjob check $1", program.path("a.qcow2"))
    #expect(absolute.status == 0)
  }

  @Test("an output that takes nothing fails, and the job is told as done")
  func fullOutput() throws {
    let program = try Self.program()
    try program.run("node", "add", "a", "a.qcow2")
    let save = try program.shell("snapjob save --tag one --job-id j1 > /dev/full")
    #expect(save.status == 1)
    #expect(
      save.standardError
        == "snapjob: cannot write the output: No space left on device; but job j1 is done\n")
    let add = try program.shell("snapjob --json bitmap add a b > /dev/full")
    #expect(add.status == 1)
    #expect(add.standardError.hasSuffix("; but the change is made\n"))
    for other in ["--version", "--version --json", "help", "save --help"] {
      #expect(try program.shell("snapjob \(other) > /dev/full").status == 1, "\(other)")
    }
    let backup = try program.shell("snapjob catalog backup copy > /dev/full")
    #expect(backup.status == 1 && backup.standardError.hasSuffix("; but the change is made\n"))
    let list = try program.shell("snapjob list > /dev/full")
    #expect(list.status == 1)
    #expect(
      list.standardError == "snapjob: cannot write the output: No space left on device\n")
    let detached = try program.shell("snapjob save --tag two --job-id j2 --detach > /dev/full")
    #expect(detached.status == 1)
    #expect(detached.standardError.hasSuffix("; but job j2 goes on in the background\n"))
    try program.run("job", "wait", "j2")
    #expect(try QemuImg.snapshotNames(program.path("a.qcow2")) == ["one", "two"])
  }

  @Test(
    "who sits at a terminal is asked there, wherever the output goes",
    arguments: [
      "load --tag one", "load --tag one 2>&1 | tee log", "load --tag one > log 2>&1",
      "delete --tag one 2> log", "prune --match o* --keep-last 1 2>&1 | cat",
    ])
  func asked(command: String) throws {
    let program = try Self.program()
    try program.run("node", "add", "a", "a.qcow2")
    for tag in ["one", "other"] { try program.run("save", "--tag", tag) }
    try QemuIO.write(7, at: 0, length: 65536, in: program.path("a.qcow2"))
    let digest = try QemuImg.contentDigest(program.path("a.qcow2"))
    let answered = try program.shell(
      "echo n | script -qec 'snapjob \(command.replacing("o*", with: "\"o*\""))' /dev/null")
    #expect(answered.text.contains("Go on? [y/N]"))
    #expect(try QemuImg.snapshotNames(program.path("a.qcow2")) == ["one", "other"])
    #expect(try QemuImg.contentDigest(program.path("a.qcow2")) == digest)
  }

  @Test("a question that cannot be put is no yes") func noTerminal() throws {
    let program = try Self.program()
    try program.run("node", "add", "a", "a.qcow2")
    try program.run("save", "--tag", "one")
    let old = try QemuImg.contentDigest(program.path("a.qcow2"))
    try QemuIO.write(7, at: 0, length: 65536, in: program.path("a.qcow2"))
    let new = try QemuImg.contentDigest(program.path("a.qcow2"))
    // Standard input is a terminal, but not that of the new session, which has none.
    let line = "setsid -w snapjob load --tag one; echo status $?"
    let result = try program.shell("script -qec '\(line)' /dev/null < /dev/null")
    #expect(result.text.contains("To answer it beforehand: --yes"))
    #expect(result.text.contains("status 64"))
    #expect(try QemuImg.contentDigest(program.path("a.qcow2")) == new)
    let told = try program.shell(
      "script -qec '\(line.replacing("one;", with: "one --yes;"))' /dev/null < /dev/null")
    #expect(told.text.contains("status 0"))
    #expect(try QemuImg.contentDigest(program.path("a.qcow2")) == old)
  }
}
