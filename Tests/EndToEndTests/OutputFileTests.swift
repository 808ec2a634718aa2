import Glibc
import TestOracles
import Testing

/// What a file that is to be written may take the place of.
@Suite struct OutputFileTests {
  private let program: Program

  /// Two disks with a device state.
  init() throws {
    program = try Program()
    try program.makeDisks()
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    try program.run(
      "devices", "load", root.joined(separator: "/") + "/testdata/savevm-microvm.qevm")
  }

  private func digest(_ name: String) throws -> String {
    try program.shell("sha256sum < \"$1\"", program.path(name)).text
  }

  private func expectState(_ name: String) throws {
    #expect(try program.shell("head -c 4 \"$1\"", program.path(name)).text == "QEVM")
  }

  @Test(
    "a device state takes nothing else's place",
    arguments: [
      ("head -c 1M /dev/urandom > raw", "raw", "is no device state"),
      ("printf QEV > short", "short", "is no device state"),
      ("printf 'SQLite format 3' > db", "db", "is no device state"),
      (":", "catalog/catalog.sqlite", "belongs to snapjob's catalog"),
      (":", "catalog/catalog.sqlite-wal", "belongs to snapjob's catalog"),
      ("ln catalog/catalog.sqlite hard", "hard", "belongs to snapjob's catalog"),
      ("ln -s catalog/catalog.sqlite soft", "soft", "belongs to snapjob's catalog"),
      (":", "catalog/catalog.sqlite.workers/x", "belongs to snapjob's catalog"),
      (":", "disk0.qcow2", "is node 'disk0' of machine default"),
      ("ln disk0.qcow2 again.qcow2", "again.qcow2", "is node 'disk0' of machine default"),
      ("mv disk1.qcow2 away.qcow2", "disk1.qcow2", "is node 'disk1' of machine default"),
      ("mv disk1.qcow2 away.qcow2; : > disk1.qcow2", "disk1.qcow2", "is node 'disk1'"),
      ("mkdir dir", "dir", "Is a directory"),
    ])
  func refused(preparation: String, name: String, problem: String) throws {
    try program.shell(preparation)
    let isThere = program.exists(name) && name != "dir"
    let before = isThere ? try digest(name) : ""
    let result = try program.attempt(["devices", "save", name])
    #expect(result.status == (name == "dir" ? 1 : 5), "\(result.standardError)")
    #expect(result.standardError.contains(problem), "\(result.standardError)")
    #expect(try program.run("machine", "list").status == 0)
    if isThere, !problem.contains("catalog") { #expect(try digest(name) == before) }
    #expect(program.exists(name) == (isThere || name == "dir"))
  }

  @Test func `a device state takes the place of an older one, of an empty file and of nothing`()
    throws
  {
    try program.shell(": > empty; printf QEVMold > old; ln -s old link")
    for name in ["new", "empty", "link"] { try program.run("devices", "save", name) }
    for name in ["new", "empty", "old"] { try expectState(name) }
    #expect(try program.shell("readlink link").text == "old\n")
  }

  @Test func `a file that QEMU has locked stays, even if it is empty`() throws {
    try program.shell(": > held")
    let vm = try QemuVM(
      [],
      arguments: [
        "-blockdev", "driver=file,node-name=f,filename=\(program.path("held"))", "-device",
        "virtio-blk-pci,drive=f",
      ])
    let result = try program.attempt(["devices", "save", "held"])
    #expect(result.status == 6)
    #expect(result.standardError.contains("is locked by another program"))
    #expect(try program.shell("stat -c %s held").text == "0\n")
    try vm.quit()
  }

  @Test func `FIFOs and devices are written to as they are`() throws {
    let states = try program.shell(
      """
      mkfifo pipe; snapjob devices save pipe -q > id & p=$!
      until [ -s id ]; do sleep 0.05; done
      cat pipe > got; wait $p && head -c 4 got && test -p pipe
      """)
    #expect(states.status == 0, "\(states.standardError)")
    #expect(states.text.hasSuffix("QEVM"))
    #expect(try program.run("devices", "save", "/dev/null").status == 0)
    #expect(try program.shell("test -c /dev/null").status == 0)
    try program.run("bitmap", "add", "disk0", "b0")
    let sent = try program.shell(
      "timeout 60 cat pipe > sent & snapjob bitmap send --to file:\(program.path("pipe")) -q && wait && head -c 4 sent"
    )
    #expect(sent.text.hasSuffix("QEVM"), "\(sent.standardError)")
    #expect(
      try program.attempt(["bitmap", "send", "--to", "file:\(program.path("sent"))"]).status == 5)
    let copied = try program.shell(
      "timeout 60 cat pipe > copy & snapjob catalog backup pipe -q && wait && head -c 15 copy")
    #expect(copied.text == "SQLite format 3", "\(copied.standardError)")
    #expect(try program.shell("snapjob --catalog \"$PWD/copy\" machine list").status == 0)
  }

  @Test func `a device state for a FIFO that nobody reads can be cancelled`() throws {
    let result = try program.shell(
      """
      mkfifo pipe; snapjob devices save pipe > id & p=$!
      until [ -s id ]; do sleep 0.05; done
      kill -TERM $p; wait $p
      """)
    #expect(result.status == 143, "\(result.standardError)")
    #expect(result.standardError.contains("cancel"))
    try program.run("devices", "save", "state")
  }

  @Test func `a copy of the catalog takes the place of an older copy only`() throws {
    try program.run("catalog", "backup", "copy")
    try program.run("machine", "add", "later")
    try program.run("catalog", "backup", "copy")
    let machines = try program.shell("snapjob --catalog \"$PWD/copy\" machine list").text
    #expect(machines.contains("later"))
    // From now on it is a catalog in use, with a directory of locks.
    try program.shell("snapjob --catalog \"$PWD/copy\" save --tag t --file disk0.qcow2 -q")
    for (name, text) in [
      ("copy", "catalog in use"), ("catalog/catalog.sqlite", "belongs to snapjob's catalog"),
      ("disk0.qcow2", "is node 'disk0'"), ("foreign", "no copy of a catalog"),
    ] {
      try program.shell("(printf 'SQLite format 3'; head -c 1000 /dev/zero) > foreign")
      let before = try digest(name)
      let result = try program.attempt(["catalog", "backup", name])
      #expect(result.status == 5, "\(name): \(result.standardError)")
      #expect(result.standardError.contains(text), "\(name): \(result.standardError)")
      if name != "catalog/catalog.sqlite" { #expect(try digest(name) == before) }
    }
  }

  @Test func `a server whose client names the catalog goes on`() throws {
    let (server, client) = try program.serve()
    let catalog = program.path("catalog/catalog.sqlite")
    for command in ["xen-save-devices-state", "xen-load-devices-state"] {
      let reply = try client.reply(
        to: #"{"execute": "\#(command)", "arguments": {"filename": "\#(catalog)"}}"#)
      let text = reply["error"]?["desc"]?.string ?? ""
      #expect(text.contains("belongs to snapjob's catalog"))
    }
    let check = try client.execute("x-snapjob-check", #"{"targets": ["\#(catalog)"]}"#)
    #expect("\(check)".contains("belongs to snapjob"))
    _ = try client.execute("query-jobs")
    server.send(signal: SIGTERM)
    #expect(server.wait() == 0)
  }
}
