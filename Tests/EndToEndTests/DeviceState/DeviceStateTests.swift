import TestOracles
import Testing

/// Device states on their way between files, snapshots and real machines.
@Suite("Device states") struct DeviceStateTests {
  private let bench: DeviceStateBench
  private var program: Program { bench.program }

  init() throws { bench = try DeviceStateBench() }

  @Test("a machine that was migrated into a file goes on from a snapshot")
  func fromFile() throws {
    let vm = try bench.startAndRun()
    try vm.execute("stop")
    let memory = try bench.memory(vm)
    try vm.execute("migrate", #"{"uri": "exec:cat > \#(program.path("vm.state"))"}"#)
    while try vm.execute("query-migrate")["status"]?.string != "completed" {}
    try vm.quit()

    let loaded = try program.run("devices", "load", "vm.state")
    #expect(loaded.text.contains("Next: snapjob save --tag TAG"))
    let saved = try program.run("save", "--tag", "fromfile")
    #expect(saved.standardError.isEmpty)
    #expect(try bench.stateSizes("fromfile")[0] == Int64(try size("vm.state")))
    #expect(try bench.stateSizes("fromfile")[1] == 0)
    #expect(try program.run("list").text.contains("fromfile"))
    try bench.expectClean()
    try bench.resume("fromfile", expecting: memory)
    try bench.expectClean()
  }

  @Test(
    "a running machine's snapshot is loaded, saved again without a copy, and the first one deleted")
  func throughSnapshots() throws {
    let vm = try bench.startAndRun()
    try vm.execute("stop")
    let memory = try bench.memory(vm)
    try bench.saveLive("first", vm)
    try vm.quit()

    try program.run("load", "--tag", "first", "--yes")
    let saved = try program.run("save", "--tag", "second", "--json").text
    let result = try #require(
      saved.split(separator: "\n").last.map { try JSONValue(parsing: String($0)) })
    #expect(result["return"]?["status"]?.string == "concluded")
    #expect(try bench.stateSizes("second") == bench.stateSizes("first"))
    #expect(try program.run("save", "--tag", "plan", "--dry-run").text.contains("device state"))
    try program.run("delete", "--tag", "first", "--yes")
    #expect(try program.run("verify", "--tag", "second").status == 0)
    try bench.expectClean()
    try bench.resume("second", expecting: memory)
    try bench.expectClean()
  }

  @Test("the whole state of a snapshot goes into a file, and a machine goes on from there")
  func intoFile() throws {
    let vm = try bench.startAndRun()
    try bench.saveLive("live", vm)
    try vm.quit()
    try program.run("load", "--tag", "live", "--yes")
    try program.run("devices", "save", "whole.state", "--tag", "live", "--with-ram")
    #expect(try size("whole.state") == Int(try bench.stateSizes("live")[0]))
    // The machine's own state is the same.
    try program.run("devices", "save", "own.state", "--with-ram")
    try Command.run("cmp", [program.path("own.state"), program.path("whole.state")])
    let incoming = try bench.start(
      isRunning: true, ["-incoming", "exec:cat \(program.path("whole.state"))"])
    while try incoming.execute("query-status")["running"]?.bool != true {}
    try incoming.quit()
    try bench.expectClean()
  }

  @Test("once a machine has run on the disks its old state is left out, and that is said")
  func stale() throws {
    let vm = try bench.startAndRun()
    try bench.saveLive("live", vm)
    try vm.quit()
    try program.run("load", "--tag", "live", "--yes")
    let later = try bench.start(isRunning: true)
    try bench.writeAsGuest(later)
    try later.quit()

    let insisting = try program.attempt(["save", "--tag", "now", "--vmstate", "root"])
    #expect(insisting.status == 5)
    #expect(insisting.standardError.contains("another program has written"))
    let saved = try program.run("save", "--tag", "now")
    #expect(saved.standardError.contains("device state is left out of the snapshot"))
    #expect(try bench.stateSizes("now") == [0, 0])
    let refused = try program.attempt(["devices", "save", "own.state"])
    #expect(refused.status == 4)
    #expect(try !bench.files().contains("own.state"))
    try bench.expectClean()
  }

  @Test(
    "what is done to copies of the disks leaves the machine its state", arguments: [false, true])
  func copies(isStaged: Bool) throws {
    let vm = try bench.startAndRun()
    try vm.execute("stop")
    let memory = try bench.memory(vm)
    try bench.saveLive("live", vm)
    try vm.quit()
    if isStaged {
      try program.run("devices", "save", "whole.state", "--tag", "live", "--with-ram")
      try program.run("load", "--tag", "live", "--yes")
      try program.run("devices", "load", "whole.state")
    } else {
      try program.run("load", "--tag", "live", "--yes")
    }
    let copies = program.disks.map { "copy-of-\($0)" }
    for (disk, copy) in zip(program.disks, copies) {
      try Command.run("cp", ["--preserve=all", program.path(disk), program.path(copy)])
    }
    let files = copies.flatMap { ["--file", program.path($0)] }
    let ofCopies = try program.attempt(["save", "--tag", "c"] + files)
    #expect(ofCopies.status == 0)
    #expect(ofCopies.standardError.contains("is another file") == isStaged)
    try QemuIO.write(9, at: 0, length: 65536, in: program.path(copies[1]))
    #expect(try program.attempt(["save", "--tag", "d"] + files).status == 0)
    #expect(try program.attempt(["delete", "--tag", "live", "--yes"] + files).status == 0)
    #expect(try bench.waitingStateCount() == (isStaged ? 1 : 0))

    let saved = try program.run("save", "--tag", "x")
    #expect(saved.standardError.isEmpty)
    #expect(try bench.stateSizes("x") == bench.stateSizes("live"))
    #expect(try bench.waitingStateCount() == 0)
    try bench.expectClean()
    try bench.resume("x", expecting: memory)
    for copy in copies { #expect(try QemuImg.check(program.path(copy)).isClean) }
  }

  @Test("what is committed into a disk makes its state out of date for good")
  func committedInto() throws {
    let vm = try bench.startAndRun()
    try bench.saveLive("live", vm)
    try vm.quit()
    try program.run("load", "--tag", "live", "--yes")
    let (base, overlay) = (program.path("disk1.qcow2"), program.path("overlay.qcow2"))
    try Command.run(
      "qemu-img", ["create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", overlay])
    try QemuIO.write(7, at: 2 << 20, length: 65536, in: overlay)
    try Command.run("qemu-img", ["commit", "-q", overlay])
    try program.run("bitmap", "add", "data", "b")
    let insisting = try program.attempt(["save", "--tag", "now", "--vmstate", "root"])
    #expect(insisting.status == 5)
    let saved = try program.run("save", "--tag", "now")
    #expect(saved.standardError.contains("data: another program has written"))
    #expect(try bench.stateSizes("now") == [0, 0])
    try bench.expectClean()
  }

  @Test(
    "the devices that a running machine writes are put into a state, and refused with a byte missing"
  )
  func deviceFile() throws {
    let vm = try bench.startAndRun()
    try bench.saveLive("live", vm)
    try vm.execute(
      "xen-save-devices-state", #"{"filename": "\#(program.path("vm.devices"))", "live": true}"#)
    try vm.quit()

    let nowhere = try program.attempt(["devices", "load", "vm.devices"])
    #expect(nowhere.status == 4)
    #expect(nowhere.standardError.contains("no state with RAM to put them into"))
    try program.run("load", "--tag", "live", "--yes")
    let whole = try size("vm.devices")
    try Command.run("cp", [program.path("vm.devices"), program.path("cut.devices")])
    try Command.run("truncate", ["-s", "-1", program.path("cut.devices")])
    let before = try bench.files()
    let refused = try program.attempt(["devices", "load", "cut.devices"])
    #expect(refused.status == 9)
    #expect(refused.standardError.contains("offset 0x"))
    #expect(try bench.files() == before)

    try program.run("devices", "load", "vm.devices")
    try program.run("save", "--tag", "merged")
    #expect(try bench.stateSizes("merged")[0] > 0)
    try program.run("devices", "save", "again.devices", "--tag", "merged")
    #expect(try size("again.devices") == whole)
    #expect(
      try program.run("devices", "diff", "vm.devices", "again.devices").status == 0)
    try bench.resume("merged")
    try bench.expectClean()
  }

  @Test("a device file of another machine is refused with the difference")
  func otherMachine() throws {
    let vm = try bench.startAndRun()
    try bench.saveLive("live", vm)
    try vm.quit()
    let other = try bench.start(isRunning: true, ["-device", "virtio-balloon-pci"])
    try other.execute(
      "xen-save-devices-state", #"{"filename": "\#(program.path("other.devices"))"}"#)
    try other.quit()
    try program.run("load", "--tag", "live", "--yes")
    let refused = try program.attempt(["devices", "load", "other.devices"])
    #expect(refused.status == 5)
    #expect(refused.standardError.contains("virtio-balloon"), "\(refused.standardError)")
    // The state of before is still there.
    try program.run("save", "--tag", "after")
    #expect(try bench.stateSizes("after") == bench.stateSizes("live"))
  }

  @Test("a running machine writes its devices and keeps its images, and loads from nobody")
  func live() throws {
    let monitor = program.path("vm1.qmp")
    let vm = try bench.start(
      isRunning: true, ["-qmp", "unix:\(monitor),server=on,wait=off"])
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)")
    try program.run("-m", "vm1", "save", "--tag", "live")
    for state in ["running", "paused"] {
      if state == "paused" { try vm.execute("stop") }
      try program.run("-m", "vm1", "devices", "save", "\(state).devices")
      #expect(try vm.execute("query-status")["status"]?.string == state)
      #expect(
        try Command.run("stat", ["-c", "%a", program.path("\(state).devices")]).text == "600\n")
      // A machine that has let go of its images could not take a snapshot.
      try program.run("-m", "vm1", "save", "--tag", state)
    }
    #expect(try bench.files().filter { $0.contains("snapjob-") }.isEmpty)
    try program.run("-m", "vm1", "devices", "save", "tag.devices", "--tag", "live")
    #expect(try program.attempt(["-m", "vm1", "devices", "save", "x", "--with-ram"]).status == 64)
    let refused = try program.attempt(["-m", "vm1", "devices", "load", "paused.devices"])
    #expect(refused.status == 9)
    #expect(refused.standardError.contains("--force"))
    #expect(try vm.execute("query-status")["status"]?.string == "paused")
    try vm.quit()

    try program.run("-m", "vm1", "load", "--tag", "paused", "--yes")
    try program.run("-m", "vm1", "devices", "load", "paused.devices")
    try program.run("-m", "vm1", "save", "--tag", "off")
    #expect(try bench.stateSizes("off")[0] > 0)
    try bench.resume("off")
    try bench.expectClean()
  }

  @Test("the commands of QMP reply when their job has concluded, with QEMU's words")
  func protocolCommands() throws {
    let vm = try bench.startAndRun()
    try bench.saveLive("live", vm)
    try vm.quit()
    try program.run("load", "--tag", "live", "--yes")
    let path = program.path("own.devices")
    try program.run("qmp", "xen-save-devices-state", #"{"filename": "\#(path)", "live": true}"#)
    #expect(try size("own.devices") > 0)
    try program.run("qmp", "xen-load-devices-state", #"{"filename": "\#(path)"}"#)
    let missing = try program.attempt([
      "qmp", "xen-save-devices-state", #"{"filename": "\#(program.path("no/where"))"}"#,
    ])
    #expect(
      missing.standardError.contains("Unable to open \(program.path("no/where")): No such file"))
    try Command.run("cp", ["/dev/null", program.path("empty")])
    let empty = try program.attempt([
      "qmp", "xen-load-devices-state", #"{"filename": "\#(program.path("empty"))"}"#,
    ])
    #expect(empty.status == 9)
    #expect(empty.standardError.contains("loading Xen device state failed: "))
    let history = try program.run("query-jobs", "--history", "--json").text
    #expect(history.contains("xen-save-devices-state"))
    #expect(try !program.run("query-jobs", "--json").text.contains("xen-"))
  }

  private func size(_ name: String) throws -> Int {
    Int(
      try Command.run("stat", ["-c", "%s", program.path(name)]).text
        .split(separator: "\n").first ?? "") ?? -1
  }
}
