/// A running `qemu-system-x86_64` without an operating system. Used by one thread; killed when the
/// last reference goes.
public final class QemuVM {
  /// One disk of the machine.
  public struct Disk: Sendable {
    /// The node's name.
    public let node: String
    /// The qcow2 file.
    public let path: String
    /// Whether a virtio-blk device is attached to the node.
    public let hasDevice: Bool

    /// Describes a disk.
    public init(_ node: String, _ path: String, hasDevice: Bool = true) {
      self.node = node
      self.path = path
      self.hasDevice = hasDevice
    }
  }

  /// The process.
  public let process: ChildProcess
  /// Its monitor.
  public let qmp: QMPSocket
  /// Where its monitor's socket is, of which it serves one client at a time: this object.
  public let socketPath: String
  private let directory: TemporaryDirectory

  /// Starts a machine and connects to its monitor.
  ///
  /// - Parameters:
  ///   - disks: its disks.
  ///   - name: the value of `-name`; nil to leave it out.
  ///   - isRunning: whether its CPU runs; otherwise it is paused, holding its disks all the same.
  ///   - arguments: more arguments of QEMU.
  /// - Throws: ``OracleError`` with what QEMU said, if it did not start.
  public init(
    _ disks: [Disk], name: String? = nil, isRunning: Bool = false, arguments: [String] = []
  ) throws(OracleError) {
    directory = try TemporaryDirectory()
    socketPath = directory.path("qmp")
    var words = [
      "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-accel", "tcg", "-m", "32",
      "-display", "none", "-qmp", "unix:\(socketPath),server=on,wait=off",
    ]
    if !isRunning { words.append("-S") }
    if let name { words += ["-name", name] }
    for disk in disks {
      words += ["-blockdev", blockdev(node: disk.node, path: disk.path)]
      if disk.hasDevice { words += ["-device", "virtio-blk-pci,drive=\(disk.node)"] }
    }
    (process, qmp) = try startServer(words + arguments, socketPath: socketPath, directory)
  }

  /// Executes a QMP command and waits for its reply.
  ///
  /// - Parameters:
  ///   - command: its name.
  ///   - arguments: a JSON object as text; nil for none.
  /// - Returns: the value of `return`.
  /// - Throws: ``OracleError`` with the error that QEMU replied.
  @discardableResult public func execute(
    _ command: String, _ arguments: String? = nil
  ) throws(OracleError) -> JSONValue {
    try qmp.execute(command, arguments)
  }

  /// Executes a command of the monitor for people: `info snapshots`, `savevm x`.
  ///
  /// - Parameter line: the command.
  /// - Returns: what it printed, errors too.
  /// - Throws: ``OracleError`` if QEMU is gone.
  public func monitor(_ line: String) throws(OracleError) -> String {
    let arguments = "{\"command-line\": \(JSONValue.quoted(line))}"
    return try qmp.execute("human-monitor-command", arguments).string ?? ""
  }

  /// Runs one of QEMU's jobs to its end.
  ///
  /// - Parameters:
  ///   - command: `snapshot-save`, `snapshot-load` or `snapshot-delete`.
  ///   - tag: the snapshot's name.
  ///   - vmstate: the node for the VM state; nil for `snapshot-delete`, which has none.
  ///   - devices: the nodes.
  /// - Throws: ``OracleError`` with the job's error.
  public func runSnapshotJob(
    _ command: String, tag: String, vmstate: String?, devices: [String]
  ) throws(OracleError) {
    let id = "oracle-\(command)"
    var members = [
      "\"job-id\": \(JSONValue.quoted(id))", "\"tag\": \(JSONValue.quoted(tag))",
      "\"devices\": [\(devices.map(JSONValue.quoted).joined(separator: ", "))]",
    ]
    if let vmstate { members.append("\"vmstate\": \(JSONValue.quoted(vmstate))") }
    try qmp.execute(command, "{\(members.joined(separator: ", "))}")
    try qmp.waitForJob(id)
  }

  /// Ends it in order and waits until its locks are gone.
  ///
  /// - Throws: ``OracleError`` if its exit status is not 0.
  public func quit() throws(OracleError) {
    try qmp.execute("quit")
    let status = process.wait()
    guard status == 0 else { throw OracleError("\(process.commandLine)\nexit status \(status)") }
  }

  /// Ends it as a crash would, and waits until its locks are gone.
  public func kill() {
    process.kill()
    _ = process.wait()
  }
}

/// A running `qemu-storage-daemon`: block nodes and QMP without a machine. Used by one thread; killed
/// when the last reference goes.
public final class QemuStorageDaemon {
  /// The process.
  public let process: ChildProcess
  /// Its monitor.
  public let qmp: QMPSocket
  private let directory: TemporaryDirectory

  /// Starts it and connects to its monitor.
  ///
  /// - Parameters:
  ///   - disks: its nodes.
  ///   - isReadOnly: whether it opens them for reading only.
  /// - Throws: ``OracleError`` with what it said, if it did not start.
  public init(_ disks: [QemuVM.Disk], isReadOnly: Bool = false) throws(OracleError) {
    directory = try TemporaryDirectory()
    let socketPath = directory.path("qmp")
    var words = ["qemu-storage-daemon"]
    for disk in disks {
      words += [
        "--blockdev", blockdev(node: disk.node, path: disk.path, isReadOnly: isReadOnly),
      ]
    }
    // Its monitor last, and nobody connects before the file is there, which it writes when all options have been
    // carried out: who is there earlier may be greeted twice.
    let readyPath = directory.path("pid")
    words += ["--chardev", "socket,id=qmp,path=\(socketPath),server=on,wait=off"]
    words += ["--monitor", "chardev=qmp", "--pidfile", readyPath]
    (process, qmp) = try startServer(words, socketPath: socketPath, readyPath: readyPath, directory)
  }

  /// Ends it in order and waits until its locks are gone.
  ///
  /// - Throws: ``OracleError`` if its exit status is not 0.
  public func quit() throws(OracleError) {
    try qmp.execute("quit")
    let status = process.wait()
    guard status == 0 else { throw OracleError("\(process.commandLine)\nexit status \(status)") }
  }
}
