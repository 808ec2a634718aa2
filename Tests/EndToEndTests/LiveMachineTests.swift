import Glibc
import TestOracles
import Testing

/// One verb, whether the machine runs or not.
@Suite("Live machines") struct LiveMachineTests {
  private let program: Program

  init() throws {
    program = try Program()
    for disk in program.disks {
      try QemuImg.create(program.path(disk), size: "32M")
      try QemuIO.write(1, at: 0, length: 1 << 20, in: program.path(disk))
    }
  }

  private var monitor: String { program.path("vm1.qmp") }

  private func start(_ arguments: [String] = []) throws -> QemuVM {
    try QemuVM(
      [
        .init("root", program.path("disk0.qcow2")), .init("data", program.path("disk1.qcow2")),
      ], isRunning: true,
      arguments: ["-qmp", "unix:\(monitor),server=on,wait=off"] + arguments)
  }

  /// Whether the first disk begins with a pattern, as the running machine has left it in the file.
  private func begins(_ vm: QemuVM, with pattern: Int) throws -> Bool {
    try command(vm, "flush")
    let arguments = [
      "-r", "-U", "-f", "qcow2", "-c", "read -P \(pattern) 0 65536", program.path("disk0.qcow2"),
    ]
    return try !Command.attempt("qemu-io", arguments).text.contains("verification failed")
  }

  private func write(_ vm: QemuVM, _ pattern: Int) throws {
    try command(vm, "write -P \(pattern) 0 65536")
  }

  /// Does something to the first disk through the guest's own device, which shares it with nobody.
  private func command(_ vm: QemuVM, _ words: String) throws {
    let device = try vm.execute("query-block").array?.first {
      $0["inserted"]?["node-name"]?.string == "root"
    }
    let name = try #require(device?["qdev"]?.string)
    #expect(try vm.monitor("qemu-io -d \(name) \"\(words)\"") == "")
  }

  /// The tags on both disks while a machine holds them.
  private func liveTags() throws -> [[String]] {
    try program.disks.map { disk in
      let info = try Command.run(
        "qemu-img", ["info", "-U", "-f", "qcow2", "--output=json", program.path(disk)])
      return try JSONValue(parsing: info.text)["snapshots"]?.array?
        .compactMap { $0["name"]?.string } ?? []
    }
  }

  private func expectClean() throws {
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
    #expect(try program.run("check", "disk0.qcow2", "disk1.qcow2").status == 0)
  }

  @Test("save, change, load and delete work while the machine runs, and while it is off")
  func story() throws {
    let vm = try start()
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)")
    let shown = try program.run("machine", "show", "vm1").text
    #expect(shown.contains("root") && shown.contains("data") && shown.contains("monitor: unix:"))

    try program.run("-m", "vm1", "save", "--tag", "live", "--job-id", "s1")
    #expect(try program.run("job", "show", "s1").text.contains("standstill"))
    #expect(try program.run("-m", "vm1", "list").text.contains("live"))
    try write(vm, 7)
    #expect(try begins(vm, with: 7) && !begins(vm, with: 1))
    let plan = try program.run("-m", "vm1", "load", "--tag", "live", "--dry-run").text
    #expect(plan.contains("goes back to 'live'"))
    try program.run("-m", "vm1", "load", "--tag", "live", "--yes")
    #expect(try begins(vm, with: 1))
    #expect(try vm.execute("query-status")["status"]?.string == "running")
    try program.run("-m", "vm1", "save", "--tag", "disks", "--disk-only")
    try program.run("-m", "vm1", "delete", "--tag", "live", "--yes")
    #expect(try liveTags() == [["disks"], ["disks"]])
    #expect(try vm.execute("query-jobs").array?.isEmpty == true)
    try vm.quit()

    try program.run("-m", "vm1", "save", "--tag", "off")
    try QemuIO.write(9, at: 0, length: 1 << 16, in: program.path("disk0.qcow2"))
    try program.run("-m", "vm1", "load", "--tag", "off", "--yes")
    try QemuIO.run(["read -P 1 0 65536"], on: program.path("disk0.qcow2"))
    try program.run("-m", "vm1", "delete", "--tag", "off", "--yes")
    let jobs = try JSONValue(parsing: program.run("-m", "vm1", "query-jobs", "--json").text)
    #expect(jobs.array?.count == 7)
    #expect(jobs.array?.allSatisfy { $0["status"]?.string == "concluded" } == true)
    try expectClean()
  }

  @Test("a writable raw disk stops a save by name until it is excluded")
  func raw() throws {
    try Command.run("truncate", ["-s", "1M", program.path("swap.raw")])
    let vm = try start([
      "-drive", "file=\(program.path("swap.raw")),format=raw,if=none,id=swap", "-device",
      "virtio-blk-pci,drive=swap",
    ])
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)")
    let refused = try program.attempt(["-m", "vm1", "save", "--tag", "t"])
    #expect(refused.status == 9)
    #expect(refused.standardError.contains("swap (\(program.path("swap.raw")), raw)"))
    #expect(try liveTags() == [[], []])
    try program.run("machine", "set", "vm1", "--exclude", "swap")
    try program.run("-m", "vm1", "save", "--tag", "t")
    #expect(try liveTags() == [["t"], ["t"]])
    try vm.quit()
    try expectClean()
  }

  @Test("what QEMU would stop the machine for is refused before it is asked")
  func refusals() throws {
    let vm = try start()
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)")
    try program.run("-m", "vm1", "save", "--tag", "disks", "--disk-only")
    for (arguments, status) in [
      (["load", "--tag", "nope", "--yes"], 4), (["load", "--tag", "disks", "--yes"], 9),
      (["save", "--tag", "disks"], 5), (["save", "--tag", "1"], 5),
      (["delete", "--tag", "nope", "--yes"], 4),
    ] as [([String], Int32)] {
      let result = try program.attempt(["-m", "vm1"] + arguments)
      #expect(result.status == status, "\(arguments): \(result.standardError)")
    }
    try vm.execute("block-dirty-bitmap-add", #"{"node": "data", "name": "b0"}"#)
    try program.run("-m", "vm1", "save", "--tag", "t")
    let bitmap = try program.attempt(["-m", "vm1", "load", "--tag", "t", "--yes"])
    #expect(bitmap.status == 5 && bitmap.standardError.contains("b0"))
    #expect(try vm.execute("query-status")["status"]?.string == "running")
    #expect(try liveTags() == [["disks", "t"], ["disks", "t"]])
    try vm.quit()
    try expectClean()
  }

  /// Whether no disk has the tag, or, where a save may succeed, every disk.
  private func isWhole(_ tag: String, mayBeThere: Bool) throws -> Bool {
    let tags = try program.tags().map { $0.contains(tag) }
    return tags == [false, false] || (mayBeThere && tags == [true, true])
  }

  @Test("a machine that is killed in the middle of a save leaves no partial set and clean images")
  func killedMachine() throws {
    for round in 0..<8 {
      let vm = try start(["-m", "256"])
      if round == 0 { try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)") }
      let save = try program.start("-m", "vm1", "save", "--tag", "t\(round)")
      usleep(60_000 + UInt32(round) * 25_000)
      vm.kill()
      let status = save.wait()
      #expect([0, 6, 8].contains(status))
      #expect(try isWhole("t\(round)", mayBeThere: status == 0), "round \(round)")
      try expectClean()
      try program.run("-m", "vm1", "list")
    }
  }

  private func hasJob(_ tag: String) throws -> Bool {
    try program.run("-m", "vm1", "query-jobs").text.contains(" \(tag) ")
  }

  @Test("a save whose own process is killed is brought to its end by the machine, and adopted")
  func killedWorker() throws {
    let vm = try start()
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)")
    let save = try program.start("-m", "vm1", "save", "--tag", "t", "--job-id", "s1")
    while try !hasJob("t") { usleep(1_000) }
    save.kill()
    _ = save.wait()
    // QEMU's monitor is free again once it has noticed that the client is gone.
    let log = try program.attempt(["job", "wait", "s1", "--timeout", "60"])
    #expect([0, 1].contains(log.status), "\(log.standardError)")
    #expect(try liveTags() == (log.status == 0 ? [["t"], ["t"]] : [[], []]))
    #expect(try vm.execute("query-jobs").array?.isEmpty == true)
    try program.run("-m", "vm1", "save", "--tag", "after")
    try vm.quit()
    try expectClean()
  }

  @Test("QEMU's other commands reach the running machine") func passedOn() throws {
    let vm = try start()
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)")
    #expect(try program.run("-m", "vm1", "qmp", "query-status").text.contains("running"))
    #expect(try program.run("-m", "vm1", "qmp", "query-memory-size-summary").text.contains("base"))
    try program.run("-m", "vm1", "qmp", "stop")
    #expect(try vm.execute("query-status")["status"]?.string == "paused")
    #expect(try program.attempt(["-m", "vm1", "qmp", "nope"]).status != 0)
    try vm.quit()
    #expect(try program.attempt(["-m", "vm1", "qmp", "query-memory-size-summary"]).status == 64)
  }

  @Test("images that a machine holds whose monitor is gone are in use, with their holder")
  func deadSocket() throws {
    let vm = try start()
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)")
    try program.removeFile("vm1.qmp")
    let result = try program.attempt(["-m", "vm1", "save", "--tag", "t"])
    #expect(result.status == 6)
    #expect(result.standardError.contains("qemu-system-x86_64"))
    try vm.quit()
    try expectClean()
  }

  @Test("a monitor that somebody else has is no connection, and nothing is done")
  func busyMonitor() throws {
    let vm = try start()
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)")
    let other = try program.startClient(of: monitor)
    defer { other.kill() }
    let result = try program.attempt(["-m", "vm1", "save", "--tag", "t"])
    #expect(result.status == 8)
    #expect(
      result.standardError.contains("another client has this monitor: socat (pid \(other.pid))"))
    try vm.quit()
    try expectClean()
  }
}
