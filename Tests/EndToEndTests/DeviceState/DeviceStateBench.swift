import TestOracles
import Testing

/// Two disks that real machines run on, which the program knows as `root` and `data`.
struct DeviceStateBench {
  let program: Program

  init() throws {
    program = try Program()
    for (node, disk) in zip(["root", "data"], program.disks) {
      try QemuImg.create(program.path(disk), size: "16M", options: ["cluster_size=65536"])
      try QemuIO.write(1, at: 0, length: 1 << 20, in: program.path(disk))
      try program.run("node", "add", node, disk)
    }
  }

  /// Starts a machine on the disks.
  func start(isRunning: Bool = false, _ arguments: [String] = []) throws -> QemuVM {
    try QemuVM(
      [.init("root", program.path("disk0.qcow2")), .init("data", program.path("disk1.qcow2"))],
      isRunning: isRunning, arguments: arguments)
  }

  /// Starts a machine and lets its firmware change its memory.
  func startAndRun() throws -> QemuVM {
    let vm = try start(isRunning: true)
    let before = try memory(vm)
    while try memory(vm) == before {}
    return vm
  }

  /// The SHA-256 of all of the guest's memory.
  func memory(_ vm: QemuVM) throws -> String {
    let path = program.path("memory")
    try vm.execute(
      "pmemsave", #"{"val": 0, "size": 33554432, "filename": "\#(path)"}"#)
    return try Command.sha256(ofFile: path)
  }

  /// Takes a snapshot of the running machine with its memory, as QEMU does it.
  func saveLive(_ tag: String, _ vm: QemuVM) throws {
    try vm.runSnapshotJob("snapshot-save", tag: tag, vmstate: "root", devices: ["root", "data"])
  }

  /// Runs a machine from a snapshot; its memory must be the one given, if one is.
  func resume(_ tag: String, expecting memory: String? = nil) throws {
    let vm = try start(isRunning: false, ["-loadvm", tag])
    if let memory { #expect(try self.memory(vm) == memory) }
    try vm.execute("cont")
    #expect(try vm.execute("query-status")["status"]?.string == "running")
    try vm.quit()
  }

  /// Writes to the first disk through the guest's own device.
  func writeAsGuest(_ vm: QemuVM) throws {
    let device = try vm.execute("query-block").array?.first {
      $0["inserted"]?["node-name"]?.string == "root"
    }
    let name = try #require(device?["qdev"]?.string)
    #expect(try vm.monitor("qemu-io -d \(name) \"write -P 5 0 64k\"") == "")
  }

  /// Fails the test unless both checkers find nothing wrong.
  func expectClean() throws {
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
    #expect(try program.run("check", "root", "data").status == 0)
  }

  /// Bytes of VM state that a tag has on each disk, as qemu-img lists them.
  func stateSizes(_ tag: String) throws -> [Int64] {
    try program.disks.map { disk in
      try QemuImg.info(program.path(disk))["snapshots"]?.array?
        .first { $0["name"]?.string == tag }?["vm-state-size"]?.int ?? -1
    }
  }

  /// How many device states wait beside the catalog.
  func waitingStateCount() throws -> Int {
    try Command.run("find", [program.path("catalog"), "-name", "*.state"]).text
      .split(separator: "\n").count
  }

  /// Files of the directory, hidden ones included.
  func files() throws -> [String] {
    try Command.run("ls", ["-A", program.directory.path]).text.split(separator: "\n")
      .map(String.init)
  }
}
