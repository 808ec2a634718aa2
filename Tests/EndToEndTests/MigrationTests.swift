import Glibc
import TestOracles
import Testing

/// Dirty bitmaps on their way between the program and a real QEMU, through aliases.
@Suite struct MigrationTests {
  private let program: Program
  private let directory: TemporaryDirectory

  init() throws {
    program = try Program()
    directory = try TemporaryDirectory()
    try program.makeDisks()
  }

  /// A machine of QEMU with two disks of its own, of the sizes that the program's disks have.
  private func makeMachine(_ type: String, _ name: String, incoming: Bool) throws -> QemuVM {
    var disks: [QemuVM.Disk] = []
    for (index, size) in ["64M", "32M"].enumerated() {
      let path = directory.path("\(name)\(index).qcow2")
      try QemuImg.create(path, size: size)
      disks.append(QemuVM.Disk("node\(index)", path, hasDevice: type != "none"))
    }
    let vm = try QemuVM(
      disks, arguments: ["-machine", type] + (incoming ? ["-incoming", "defer"] : []))
    try vm.execute(
      "migrate-set-capabilities",
      """
      {"capabilities": [{"capability": "dirty-bitmaps", "state": true},
                        {"capability": "events", "state": true}]}
      """)
    try vm.execute("migrate-set-parameters", "{\"block-bitmap-mapping\": \(Self.theirMapping)}")
    return vm
  }

  /// What QEMU calls the bitmaps, and what they are called on the wire.
  private static let theirMapping = """
    [{"node-name": "node0", "alias": "alias0", "bitmaps": [{"name": "b0", "alias": "balias0"}]},
     {"node-name": "node1", "alias": "alias1",
      "bitmaps": [{"name": "b1", "alias": "balias1", "transform": {"persistent": true}}]}]
    """

  private func digests(_ vm: QemuVM) throws -> [String?] {
    try (0..<2).map { index in
      try vm.execute(
        "x-debug-block-dirty-bitmap-sha256",
        #"{"node": "node\#(index)", "name": "b\#(index)"}"#)["sha256"]?.string
    }
  }

  private func waitForEnd(of vm: QemuVM) throws -> String {
    while true {
      let status = try vm.execute("query-migrate")["status"]?.string ?? ""
      if ["completed", "failed", "cancelled"].contains(status) { return status }
      usleep(5000)
    }
  }

  private func migrations(of qmp: QMPSocket) -> [String] {
    qmp.events.filter { $0["event"]?.string == "MIGRATION" }
      .compactMap { $0["data"]?["status"]?.string }
  }

  /// Starts to receive, and returns once somebody can connect.
  private func startReceiver(_ arguments: String...) throws -> ChildProcess {
    let receiver = try program.start(
      arguments: ["bitmap", "receive", "--from", "unix:\(program.path("socket"))"] + arguments)
    while !program.exists("socket") { usleep(5000) }
    return receiver
  }

  @Test(
    "bitmaps of QEMU are received through aliases and sent back into a QEMU, bit for bit",
    arguments: ["none", "pc"])
  func roundTrip(machine: String) throws {
    let source = try makeMachine(machine, "source", incoming: false)
    try source.execute(
      "block-dirty-bitmap-add", #"{"node": "node0", "name": "b0", "granularity": 4096}"#)
    try source.execute(
      "block-dirty-bitmap-add", #"{"node": "node1", "name": "b1", "persistent": true}"#)
    for command in ["node0 \"write 1M 300k\"", "node0 \"write 63M 512\"", "node1 \"write 5M 3M\""] {
      _ = try source.monitor("qemu-io \(command)")
    }
    let digests = try digests(source)
    #expect(digests[0] != digests[1])
    let receiver = try startReceiver(
      "--mapping", "disk0/daily=alias0/balias0", "--mapping", "disk1/daily=alias1/balias1")
    try source.execute("migrate", #"{"uri": "unix:\#(program.path("socket"))"}"#)
    #expect(try waitForEnd(of: source) == "completed")
    #expect(receiver.wait() == 0)
    #expect(migrations(of: source.qmp) == ["setup", "active", "completed"])
    try source.quit()
    #expect(!program.exists("socket"))
    for (disk, digest) in zip(program.disks, digests) {
      #expect(try QemuImg.check(program.path(disk)).isClean)
      #expect(try QemuBitmaps.digests(program.path(disk)) == ["daily": digest ?? ""])
    }
    try program.run("check")

    let destination = try makeMachine(machine, "destination", incoming: true)
    let socket = directory.path("incoming")
    try destination.execute("migrate-incoming", #"{"uri": "unix:\#(socket)"}"#)
    let mapping =
      #"[{"node-name": "disk0", "alias": "alias0", "bitmaps": [{"name": "daily", "alias": "balias0"}]}]"#
    let sent = try program.run(
      "bitmap", "send", "--to", "unix:\(socket)", "--mapping", mapping,
      "--mapping", "disk1/daily=alias1/balias1")
    #expect(sent.text.contains("Sent 2 bitmaps (disk0/daily, disk1/daily)"))
    #expect(try waitForEnd(of: destination) == "completed")
    #expect(try self.digests(destination) == digests)
    // It goes on recording, and keeps what it was told to keep.
    _ = try destination.monitor(#"qemu-io node1 "write 20M 64k""#)
    #expect(try self.digests(destination)[1] != digests[1])
    try destination.quit()
    #expect(try QemuBitmaps.list(directory.path("destination1.qcow2"))["b1"] != nil)
    // Here they stay as they are.
    for (disk, digest) in zip(program.disks, digests) {
      #expect(try QemuBitmaps.digests(program.path(disk)) == ["daily": digest ?? ""])
    }
  }

  @Test("a machine of another type refuses the stream, and the sender is told")
  func otherMachineType() throws {
    try QemuBitmaps.add("b0", to: program.path("disk0.qcow2"))
    let destination = try makeMachine("none", "destination", incoming: true)
    let socket = directory.path("incoming")
    try destination.execute("migrate-incoming", #"{"uri": "unix:\#(socket)"}"#)
    let result = try program.attempt([
      "bitmap", "send", "--to", "unix:\(socket)", "--machine-type", "pc-i440fx-7.2",
    ])
    #expect(result.status == 8, "\(result.failure())")
    #expect(result.standardError.contains("says why on its side"))
    _ = destination.process.wait()
  }

  @Test("a server tells the events of a migration as QEMU does")
  func events() throws {
    try QemuBitmaps.add("b0", to: program.path("disk0.qcow2"))
    let vm = try makeMachine("none", "vm", incoming: false)
    let (server, ours) = try program.serve()
    for capability in ["dirty-bitmaps", "events"] {
      try ours.execute(
        "migrate-set-capabilities",
        #"{"capabilities": [{"capability": "\#(capability)", "state": true}]}"#)
    }
    let nobody = #"{"uri": "unix:\#(directory.path("nobody"))"}"#
    var infos: [JSONValue] = []
    for qmp in [vm.qmp, ours] {
      try qmp.execute("migrate", nobody)
      var status = ""
      while !["failed", "completed"].contains(status) {
        let info = try qmp.execute("query-migrate")
        status = info["status"]?.string ?? ""
        if status == "failed" { infos.append(info) }
      }
      // snapjob's events come from another thread than its replies: the last one may be under way still.
      while migrations(of: qmp).last != status { try qmp.execute("query-version") }
    }
    #expect(migrations(of: ours) == migrations(of: vm.qmp))
    let descriptions = infos.map { $0["error-desc"]?.string ?? "" }
    #expect(!descriptions[0].isEmpty && descriptions[1].hasPrefix(descriptions[0]))
    try vm.quit()
    try ours.execute("quit")
    _ = server.wait()
  }

  @Test("a stream lies in a file in between, and is not overwritten") func file() throws {
    try QemuBitmaps.add("b0", to: program.path("disk0.qcow2"), granularity: 512)
    try QemuIO.write(5, at: 7 << 20, length: 12345, in: program.path("disk0.qcow2"))
    try program.run("bitmap", "send", "--to", "file:stream")
    #expect(try program.attempt(["bitmap", "send", "--to", "file:stream"]).status == 5)
    // Nothing may have this name already.
    let twice = try program.attempt(["bitmap", "receive", "--from", "file:stream"])
    #expect(twice.status == 5)
    #expect(
      twice.standardError.contains("Bitmap with the same name ('b0') already exists on destination")
    )
    let renamed = ["bitmap", "receive", "--from", "file:stream", "--mapping", "disk0/b1=disk0/b0"]
    #expect(try program.attempt(renamed).status == 0)
    let digests = try QemuBitmaps.digests(program.path("disk0.qcow2"))
    #expect(digests["b0"] == digests["b1"] && digests.count == 2)
  }

  @Test("bitmaps are copied to another machine in one transaction, or none is") func transfer()
    throws
  {
    for name in ["disk0", "disk1"] {
      try QemuBitmaps.add("daily", to: program.path("\(name).qcow2"))
    }
    try QemuIO.write(5, at: 7 << 20, length: 12345, in: program.path("disk1.qcow2"))
    for (index, size) in ["64M", "32M"].enumerated() {
      try QemuImg.create(program.path("other\(index).qcow2"), size: size)
    }
    try program.run(
      "machine", "add", "web02", "--disk", "disk0=other0.qcow2", "--disk", "data=other1.qcow2")
    let others = ["other0.qcow2", "other1.qcow2"]
    let refused = try program.attempt(["bitmap", "transfer", "--to-machine", "web02"])
    #expect(refused.status == 4, "\(refused.failure())")
    #expect(refused.standardError.contains("Cannot find device='disk1' nor node-name='disk1'"))
    for disk in others { #expect(try QemuBitmaps.list(program.path(disk)).isEmpty) }
    let done = try program.run(
      "bitmap", "transfer", "--to-machine", "web02", "--mapping", "disk0/daily=disk0/d",
      "--mapping", "disk1/daily=data/d")
    #expect(done.text.contains("Copied 2 bitmaps (disk0/d, data/d) to web02"))
    for (own, other) in zip(program.disks, others) {
      #expect(
        try QemuBitmaps.digests(program.path(own))["daily"]
          == QemuBitmaps.digests(program.path(other))["d"])
      #expect(try QemuImg.check(program.path(other)).isClean)
    }
    // What keeps the sender from it is what is told.
    let vm = try QemuVM([QemuVM.Disk("disk0", program.path("disk0.qcow2"))])
    let held = try program.attempt(["bitmap", "transfer", "--to-machine", "web02"])
    #expect(held.status == 6, "\(held.failure())")
    #expect(held.standardError.contains("disk0.qcow2"))
    try vm.quit()
  }

  @Test("a QEMU that dies in the middle of its migration leaves the disks as they were")
  func senderDies() throws {
    let source = try makeMachine("pc", "source", incoming: false)
    try source.execute("block-dirty-bitmap-add", #"{"node": "node0", "name": "b0"}"#)
    try source.execute("migrate-set-parameters", #"{"max-bandwidth": 1000}"#)
    let before = try program.disks.map { try QemuImg.info(program.path($0)) }
    let receiver = try startReceiver("--mapping", "disk0/b0=alias0/balias0")
    try source.execute("migrate", #"{"uri": "unix:\#(program.path("socket"))"}"#)
    while try source.execute("query-migrate")["status"]?.string != "active" { usleep(5000) }
    source.kill()
    #expect(receiver.wait() == 8)
    #expect(try program.disks.map { try QemuImg.info(program.path($0)) } == before)
    let job = try program.run("query-jobs", "--json").text
    #expect(job.contains("the other side has closed the connection too early"))
  }

  @Test("while a machine runs its bitmaps are QEMU's, and that is said") func runningMachine()
    throws
  {
    let path = directory.path("running.qcow2")
    try QemuImg.create(path, size: "64M")
    let monitor = directory.path("monitor")
    let vm = try QemuVM(
      [QemuVM.Disk("disk0", path)], arguments: ["-qmp", "unix:\(monitor),server=on,wait=off"])
    try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)")
    for arguments in [
      ["-m", "vm1", "bitmap", "send", "--to", "file:x"],
      ["-m", "vm1", "bitmap", "receive", "--from", "unix:s"],
      ["-m", "vm1", "bitmap", "transfer", "--to-machine", "default"],
      ["bitmap", "transfer", "--to-machine", "vm1"],
    ] {
      let result = try program.attempt(arguments)
      #expect(result.status == 6, "\(result.failure())")
      #expect(result.standardError.contains("Machine 'vm1' is running"))
    }
    #expect(!program.exists("x") && !program.exists("s"))
    // Its own settings are asked of QEMU.
    try program.run(
      "-m", "vm1", "qmp", "migrate-set-parameters", #"{"downtime-limit": 500}"#)
    #expect(try vm.execute("query-migrate-parameters")["downtime-limit"]?.int == 500)
    try vm.quit()
  }

  @Test("a signal ends the waiting for a sender, and nothing is left") func interrupted() throws {
    let receiver = try startReceiver()
    while !(try program.run("query-jobs", "--json").text.contains("\"running\"")) {}
    receiver.send(signal: SIGTERM)
    #expect(receiver.wait() == 143)
    #expect(!program.exists("socket"))
    let jobs = try program.run("query-jobs", "--json").text
    #expect(jobs.contains("\"concluded\"") && !jobs.contains("\"running\""))
  }

  @Test(
    "a mapping that breaks a rule ends with code 9, wherever it stands",
    arguments: [
      "disk0/b=1/b", #"[{"node-name": "n", "alias": "1", "bitmaps": []}]"#, "mapping.json",
    ])
  func mapping(text: String) throws {
    try program.write(
      #"{"block-bitmap-mapping": [{"node-name": "n", "alias": "1", "bitmaps": []}]}"#,
      to: "mapping.json")
    let result = try program.attempt(["bitmap", "send", "--to", "file:x", "--mapping", text])
    #expect(result.status == 9)
    #expect(
      result.standardError.contains(
        "Invalid mapping given for block-bitmap-mapping: The node alias '1' is not well-formed"))
    #expect(!program.exists("x"))
  }
}
