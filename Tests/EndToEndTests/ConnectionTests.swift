import Glibc
import SystemPackage
import TestOracles
import Testing

/// The program as a client of a server.
@Suite("Connections") struct ConnectionTests {
  /// Runs `snapjob serve` while the body runs.
  private func serving(
    _ program: Program, _ body: (_ address: String) throws -> Void
  ) throws {
    let path = program.path("qmp.sock")
    let server = try program.start("serve", "--qmp", "unix:\(path)")
    defer { server.kill() }
    while access(path, F_OK) != 0 {
      try #require(!server.hasEnded())
      usleep(10_000)
    }
    try body("unix:\(path)")
  }

  @Test("each verb works through a server as it does without, exit codes included")
  func verbs() throws {
    let program = try Program()
    try program.makeDisks()
    let before = try program.digests()
    try serving(program) { address in
      let save = try program.run("--connect", address, "save", "--tag", "a", "--note", "n")
      #expect(save.text.split(separator: "\n").count == 2)
      #expect(try program.tags() == [["a"], ["a"]])
      #expect(try program.run("--connect", address, "list").text.contains("a"))
      try QemuIO.write(9, at: 0, length: 1 << 20, in: program.path("disk0.qcow2"))
      try program.run("--connect", address, "load", "--tag", "a", "--yes")
      #expect(try program.digests() == before)
      let id = try program.run("--connect", address, "save", "--tag", "b", "--detach").text.split(
        separator: "\n"
      ).joined()
      try program.run("--connect", address, "job", "wait", id)
      #expect(try program.tags() == [["a", "b"], ["a", "b"]])
      let pending = try program.run(
        "--connect", address, "delete", "--tag", "b", "--no-auto-finalize", "--job-id", "d1",
        "--yes")
      #expect(pending.text.contains("job finalize d1"))
      try program.run("--connect", address, "job", "finalize", "d1")
      try program.run("--connect", address, "job", "wait", "d1")
      #expect(try program.tags() == [["a"], ["a"]])
      for (arguments, status) in [
        (["load", "--tag", "nope", "--yes"], 4), (["save", "--tag", "a"], 5),
        (["node", "remove", "nope"], 4), (["job", "cancel", "nope"], 4),
        (["-m", "other", "list"], 4), (["save", "--tag", "x", "--file", "disk0.qcow2"], 64),
        (["qmp", "nope"], 64), (["watch", "-A"], 64), (["serve", "--qmp", "unix:/x"], 64),
        (["save", "--tag", "x", "--no-auto-finalize", "--finalize-timeout", "1"], 64),
      ] as [([String], Int32)] {
        let result = try program.attempt(["--connect", address] + arguments)
        #expect(result.status == status, "\(arguments): \(result.standardError)")
      }
    }
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
    let gone = try program.attempt(["--connect", "unix:\(program.path("qmp.sock"))", "list"])
    #expect(gone.status == 8)
  }

  @Test("QEMU's own commands work against QEMU, and what it lacks is refused by name")
  func qemu() throws {
    let program = try Program()
    try program.makeDisks()
    let path = program.path("monitor")
    let address = "unix:\(path)"
    let vm = try QemuVM(
      [.init("disk0", program.path("disk0.qcow2"))],
      arguments: ["-qmp", "unix:\(path),server=on,wait=off"])
    #expect(try program.run("--connect", address, "qmp", "query-status").text.contains("prelaunch"))
    let save = #"{"job-id": "j1", "tag": "t", "vmstate": "disk0", "devices": ["disk0"]}"#
    try program.run("--connect", address, "qmp", "snapshot-save", save)
    #expect(try program.run("--connect", address, "query-jobs").text.contains("snapshot-save"))
    #expect(try program.run("--connect", address, "job", "wait", "j1").status == 0)
    #expect(try program.run("--connect", address, "job", "show", "j1").text.contains("concluded"))
    try program.run("--connect", address, "job", "dismiss", "--all")
    #expect(try program.run("--connect", address, "query-jobs", "--json").text == "[]\n")
    let list = try program.attempt(["--connect", address, "list"])
    #expect(list.status == 64)
    #expect(list.standardError.contains("has no command x-snapjob-list"))
    try vm.quit()
    #expect(try QemuImg.snapshotNames(program.path("disk0.qcow2")) == ["t"])
  }
}
