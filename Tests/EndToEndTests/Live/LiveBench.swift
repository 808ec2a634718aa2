import Glibc
import TestOracles
import Testing

/// A program with two disks, and a machine in QEMU that has them.
struct LiveBench {
  let program: Program

  /// Makes the disks.
  ///
  /// - Parameters:
  ///   - size: of each.
  ///   - options: for `qemu-img create -o`.
  /// - Throws: what qemu-img said.
  init(size: String = "32M", options: [String] = []) throws {
    program = try Program()
    for disk in program.disks {
      try QemuImg.create(program.path(disk), size: size, options: options)
      try QemuIO.write(1, at: 0, length: 1 << 20, in: program.path(disk))
    }
  }

  /// Where snapjob's monitor is; the tests have another one.
  var monitor: String { program.path("vm1.qmp") }

  /// Starts the machine; its nodes are `root` and `data`.
  func start(_ arguments: [String] = []) throws -> QemuVM {
    try QemuVM(
      [
        .init("root", program.path("disk0.qcow2")), .init("data", program.path("disk1.qcow2")),
      ], isRunning: true,
      arguments: ["-qmp", "unix:\(monitor),server=on,wait=off"] + arguments)
  }

  /// Arguments for a machine whose memory holds so many bytes that are not zero, so that it takes a while to
  /// save.
  func memory(mebibytes: Int) throws -> [String] {
    let path = program.path("memory-\(mebibytes)")
    if access(path, F_OK) != 0 {
      try Command.run(
        "sh", ["-c", "head -c $2 /dev/urandom > \"$1\"", "sh", path, "\(mebibytes << 20)"])
    }
    return [
      "-m", "\(mebibytes + 64)", "-device", "loader,file=\(path),addr=0x1000000,force-raw=on",
    ]
  }

  /// Registers the machine as `vm1`.
  func register() throws { try program.run("machine", "add", "vm1", "--qmp", "unix:\(monitor)") }

  /// Runs snapjob for the machine, whatever its exit code.
  func attempt(_ arguments: String...) throws -> CommandResult {
    try program.attempt(["-m", "vm1"] + arguments)
  }

  /// Runs snapjob for the machine and expects success.
  @discardableResult func run(_ arguments: String...) throws -> CommandResult {
    let result = try program.attempt(["-m", "vm1"] + arguments)
    guard result.status == 0 else { throw result.failure() }
    return result
  }

  /// Whether the first disk begins with a pattern, as the running machine has left it in the file.
  func begins(_ vm: QemuVM, with pattern: Int) throws -> Bool {
    try command(vm, "flush")
    let arguments = [
      "-r", "-U", "-f", "qcow2", "-c", "read -P \(pattern) 0 65536", program.path("disk0.qcow2"),
    ]
    return try !Command.attempt("qemu-io", arguments).text.contains("verification failed")
  }

  /// Writes a pattern to the beginning of the first disk.
  func write(_ vm: QemuVM, _ pattern: Int) throws {
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

  /// What the machine says that it does: `running`, `paused`, ….
  func status(_ vm: QemuVM) throws -> String? { try vm.execute("query-status")["status"]?.string }

  /// The tags on both disks while a machine holds them.
  func liveTags() throws -> [[String]] {
    try program.disks.map { disk in
      let info = try Command.run(
        "qemu-img", ["info", "-U", "-f", "qcow2", "--output=json", program.path(disk)])
      return try JSONValue(parsing: info.text)["snapshots"]?.array?
        .compactMap { $0["name"]?.string } ?? []
    }
  }

  /// The tags on both disks of a machine that is off.
  func tags() throws -> [[String]] { try program.tags() }

  /// Checks both disks with qemu-img and with snapjob.
  func expectClean() throws {
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
    #expect(try program.run("check", "disk0.qcow2", "disk1.qcow2").status == 0)
  }

  /// Whether the catalog has a job about a tag.
  func hasJob(_ tag: String) throws -> Bool {
    try run("query-jobs").text.contains(" \(tag) ")
  }
}
