import Glibc
import SystemPackage
import TestOracles

/// The built program, with a directory and a catalog of its own.
struct Program {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static func product(_ name: String) throws -> String { try BuiltProduct.path(name) }

  private var environment: [String: String] {
    [
      "SNAPJOB_CATALOG": directory.path("catalog/catalog.sqlite"), "TZ": "UTC",
      "SNAPJOB_MACHINE": "default", "SNAPJOB_WAIT_LOCK": "0",
    ]
  }

  func path(_ name: String) -> String { directory.path(name) }

  /// Runs snapjob, whatever its exit code; it is killed, which is an error, if it takes longer than the limit.
  func attempt(
    _ arguments: [String], stopAt: String? = nil, limit: Duration = .seconds(120)
  ) throws -> CommandResult {
    var environment = environment
    if let stopAt { environment["SNAPJOB_STOP_AT"] = stopAt }
    return try Command.attempt(
      Self.product("snapjob"), arguments, environment: environment, directory: directory.path,
      limit: limit)
  }

  /// The status of every job that is not dismissed.
  func jobStatuses() throws -> [String] {
    let jobs = try JSONValue(parsing: run("query-jobs", "--json").text)
    return jobs.array?.map { $0["status"]?.string ?? "" } ?? []
  }

  /// Runs a shell script in which `snapjob` is the built one, whatever its exit code; `$1` is the argument.
  @discardableResult
  func shell(_ script: String, _ argument: String = "") throws -> CommandResult {
    let place = try Self.product("snapjob").split(separator: "/").dropLast()
    let path = "PATH=/\(place.joined(separator: "/")):$PATH"
    return try Command.attempt(
      "sh", ["-c", "\(path); export PATH\n\(script)", "sh", argument], environment: environment,
      directory: directory.path, limit: .seconds(120))
  }

  /// Starts snapjob and leaves it running.
  func start(
    _ arguments: [String], input: FileDescriptor, output: FileDescriptor, error: FileDescriptor
  ) throws -> ChildProcess {
    try ChildProcess(
      ["env", "-C", directory.path, try Self.product("snapjob")] + arguments,
      environment: environment, input: input, output: output, error: error)
  }

  /// Runs snapjob and expects success.
  @discardableResult func run(_ arguments: String...) throws -> CommandResult {
    let result = try attempt(arguments)
    guard result.status == 0 else { throw result.failure() }
    return result
  }

  /// Starts `snapjob serve` for the machine `default`, and connects to it.
  func serve() throws -> (ChildProcess, QMPSocket) {
    let socketPath = directory.path("qmp")
    return try startServer(
      [Self.product("snapjob"), "serve", "--qmp", "unix:\(socketPath)"], environment: environment,
      socketPath: socketPath, directory)
  }

  /// Starts snapjob, which goes on by itself.
  func start(_ arguments: String...) throws -> ChildProcess { try start(arguments: arguments) }

  /// Starts snapjob, which goes on by itself.
  func start(arguments: [String]) throws -> ChildProcess {
    let null = try FileDescriptor.open("/dev/null", .readWrite)
    defer { try? null.close() }
    return try ChildProcess(
      [try Self.product("snapjob")] + arguments, environment: environment, input: null,
      output: null, error: null)
  }

  /// Starts a program that connects to a socket and does nothing; returns once it is connected.
  func startClient(of socket: String) throws -> ChildProcess {
    let null = try FileDescriptor.open("/dev/null", .readWrite)
    let (readEnd, writeEnd) = try FileDescriptor.pipe()
    defer { for end in [null, readEnd, writeEnd] { try? end.close() } }
    let client = try ChildProcess(
      ["socat", "-u", "UNIX-CONNECT:\(socket)", "STDOUT"], input: null, output: writeEnd,
      error: null)
    // The greeting: from then on the monitor is this client's.
    var byte: UInt8 = 0
    _ = try withUnsafeMutableBytes(of: &byte) { try readEnd.read(into: $0) }
    return client
  }

  /// Whether there is something of this name in the directory.
  func exists(_ name: String) -> Bool { directory.exists(name) }

  /// Makes a text file in the directory.
  func write(_ text: String, to name: String) throws { try directory.write(text, to: name) }

  /// Removes a file of the directory.
  func removeFile(_ name: String) throws {
    guard unlink(path(name)) == 0 else { throw OracleError("cannot remove \(name): \(errno)") }
  }

  /// Runs the engine's write path or digest.
  @discardableResult func demoDisk(_ arguments: String...) throws -> CommandResult {
    try Command.run(Self.product("DemoDisk"), arguments, directory: directory.path)
  }

  /// Runs the README's example of the library.
  func followJob() throws -> CommandResult {
    try Command.run(Self.product("FollowJob"), [], directory: directory.path)
  }

  /// Two registered disks made by qemu-img with content; the options are the second one's, for
  /// `qemu-img create -o`.
  func makeDisks(
    sizes: (String, String) = ("64M", "32M"), secondOptions options: [String] = []
  ) throws {
    try QemuImg.create(path("disk0.qcow2"), size: sizes.0)
    try QemuImg.create(path("disk1.qcow2"), size: sizes.1, options: options)
    try QemuIO.write(1, at: 0, length: 3 << 20, in: path("disk0.qcow2"))
    try QemuIO.write(2, at: 1 << 20, length: 2 << 20, in: path("disk1.qcow2"))
    try run("node", "add", "disk0", "disk0.qcow2")
    try run("node", "add", "disk1", "disk1.qcow2")
  }

  let disks = ["disk0.qcow2", "disk1.qcow2"]

  /// What the guest sees on both disks.
  func digests() throws -> [String] { try disks.map { try QemuImg.contentDigest(path($0)) } }

  /// The tags on both disks.
  func tags() throws -> [[String]] { try disks.map { try QemuImg.snapshotNames(path($0)) } }
}
