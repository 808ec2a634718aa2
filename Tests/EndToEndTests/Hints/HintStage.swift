import Glibc
import SystemPackage
import TestOracles
import Testing

/// A machine `web01` in a catalog that every command line has to name, among machines of the same disks.
///
/// Whoever leaves out the machine acts on `default` in that catalog, and whoever leaves out the catalog on `default` in
/// the one of the environment: both have nodes and snapshots of the same names, which nothing may change.
struct HintStage {
  let directory: TemporaryDirectory

  /// The catalog's path needs quotes in a shell.
  var catalog: String { path("the catalog/catalog.sqlite") }
  /// What names the catalog alone.
  var inCatalog: [String] { ["--catalog", catalog] }
  /// The disks of `web01`.
  var disks: [String] { ["disk0", "disk1"].map { path("web/\($0).qcow2") } }
  private var decoys: [String] {
    ["here", "there"].flatMap { place in ["disk0", "disk1"].map { path("\(place)/\($0).qcow2") } }
  }

  /// Makes the machines; each disk has a snapshot `t` and has changed since.
  init() throws {
    directory = try TemporaryDirectory.inMemory()
    let script = """
      mkdir web here there 'the catalog'
      qemu-img create -q -f qcow2 web/disk0.qcow2 1M
      qemu-io -c 'write -q -P 1 0 64k' web/disk0.qcow2
      qemu-img snapshot -c t web/disk0.qcow2
      qemu-io -c 'write -q -P 2 0 64k' web/disk0.qcow2
      for copy in web/disk1 here/disk0 here/disk1 there/disk0 there/disk1; do
        cp web/disk0.qcow2 $copy.qcow2
      done
      for disk in disk0 disk1; do
        snapjob node add $disk there/$disk.qcow2
        snapjob --catalog 'the catalog/catalog.sqlite' node add $disk here/$disk.qcow2
      done
      snapjob --catalog 'the catalog/catalog.sqlite' machine add web01 --disk disk0=web/disk0.qcow2 \\
        --disk disk1=web/disk1.qcow2
      """
    try require(try shell("set -e\n\(script)"))
    untouched = try state()
  }

  private var untouched: [String] = []

  func path(_ name: String) -> String { directory.path(name) }

  // MARK: Running the program

  /// Runs a shell script in which `snapjob` is the built one.
  func shell(_ script: String) throws -> CommandResult {
    let place = try BuiltProduct.path("snapjob").split(separator: "/").dropLast()
    return try Command.attempt(
      "sh", ["-c", "PATH=/\(place.joined(separator: "/")):$PATH; export PATH\n\(script)"],
      environment: environment, directory: directory.path, limit: .seconds(60))
  }

  private var environment: [String: String] {
    [
      "SNAPJOB_CATALOG": path("ambient.sqlite"), "TZ": "UTC", "SNAPJOB_MACHINE": "",
      "SNAPJOB_WAIT_LOCK": "0", "SNAPJOB_CONNECT": "",
    ]
  }

  /// Runs snapjob with the catalog named, whatever its exit code.
  func attempt(_ arguments: [String], stopAt: String? = nil) throws -> CommandResult {
    var environment = environment
    if let stopAt { environment["SNAPJOB_STOP_AT"] = stopAt }
    return try Command.attempt(
      BuiltProduct.path("snapjob"), inCatalog + arguments, environment: environment,
      directory: directory.path, limit: .seconds(60))
  }

  /// Runs snapjob for `web01`, whatever its exit code.
  func web(_ arguments: String..., stopAt: String? = nil) throws -> CommandResult {
    try attempt(["-m", "web01"] + arguments, stopAt: stopAt)
  }

  /// Runs snapjob for `web01` and expects success.
  @discardableResult func webDone(_ arguments: String...) throws -> CommandResult {
    try require(try attempt(["-m", "web01"] + arguments))
  }

  /// Runs snapjob in the catalog and expects success.
  @discardableResult func done(_ arguments: String...) throws -> CommandResult {
    try require(try attempt(arguments))
  }

  /// Starts snapjob in the catalog, which goes on by itself.
  func start(_ arguments: String..., stopAt: String? = nil) throws -> ChildProcess {
    let null = try FileDescriptor.open("/dev/null", .readWrite)
    defer { try? null.close() }
    return try ChildProcess(
      [try BuiltProduct.path("snapjob")] + inCatalog + arguments, environment: environment,
      input: null, output: null, error: null)
  }

  /// A result that has to be success.
  @discardableResult func require(_ result: CommandResult) throws -> CommandResult {
    guard result.status == 0 else { throw result.failure() }
    return result
  }

  // MARK: Hints

  /// The command that a result recommends; it has to be there.
  ///
  /// - Parameters:
  ///   - shape: the command's words, with `*` for one that may be anything.
  ///   - result: what the program said.
  /// - Returns: the command line as it was printed.
  /// - Throws: an error with what the program said instead.
  func hint(_ shape: String, in result: CommandResult) throws -> String {
    let text = result.standardError + result.text
    let hints = PrintedStep.all(of: shape, in: text)
    guard let hint = hints.first else {
      throw OracleError("no step '\(shape)' in: \(text)")
    }
    return hint
  }

  /// Runs a printed command line, whatever its exit code.
  ///
  /// - Parameters:
  ///   - hint: as it was printed.
  ///   - values: what stands for the words in capital letters.
  /// - Returns: what the command said.
  /// - Throws: if it lacks one of the words.
  func attempt(hint: String, _ values: [String: String] = [:]) throws -> CommandResult {
    var line = hint
    for (name, value) in values {
      let parts = line.split(separator: name, maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { throw OracleError("no \(name) in: \(hint)") }
      line = parts.joined(separator: "'\(value)'")
    }
    return try shell(line)
  }

  /// Runs the command that a result recommends, and expects success.
  @discardableResult func follow(
    _ shape: String, in result: CommandResult, _ values: [String: String] = [:]
  ) throws -> CommandResult {
    let hint = try hint(shape, in: result)
    let followed = try attempt(hint: hint, values)
    guard followed.status == 0 else { throw OracleError("\(hint): \(followed.failure())") }
    return followed
  }

  // MARK: What there is to see

  /// The tags on the disks of `web01`.
  func tags() throws -> [[String]] { try disks.map { try QemuImg.snapshotNames($0) } }

  /// What the guest of `web01` sees.
  func digests() throws -> [String] { try disks.map { try QemuImg.contentDigest($0) } }

  /// A job as `job show --json` has it.
  func job(_ id: String) throws -> JSONValue {
    try JSONValue(parsing: done("job", "show", id, "--json").text)
  }

  /// Expects that nothing has happened to the machines that were not meant.
  func expectDecoysUntouched() throws {
    #expect(try state() == untouched)
  }

  private func state() throws -> [String] {
    let images = try decoys.map { try Command.sha256(ofFile: $0) }
    let rows = try [path("ambient.sqlite"), catalog].map { catalog in
      try require(
        shell(
          """
          for words in 'machine show' 'query-jobs --history' 'bitmap list' 'list'; do
            snapjob --catalog '\(catalog)' --json $words || exit
          done
          """)
      ).text
    }
    return images + rows
  }
}

// MARK: - What more than one scenario does

extension HintStage {
  /// Whether there is something of this name in the directory.
  func exists(_ name: String) -> Bool { directory.exists(name) }

  /// Makes a text file in the directory.
  func write(_ text: String, to name: String) throws { try directory.write(text, to: name) }

  /// Waits for the ends of all jobs of `web01`.
  func waitForJobs() throws {
    let jobs = try JSONValue(parsing: webDone("query-jobs", "--json").text).array ?? []
    _ = try attempt(["job", "wait"] + jobs.compactMap { $0["id"]?.string })
  }

  /// Leaves a commit of a save open: recorded, on no disk, and the second disk is not at its place.
  ///
  /// - Returns: the job.
  @discardableResult func leaveCommit(_ stop: String = "after-record", hides: Bool = true) throws
    -> String
  {
    let saved = try web("save", "--tag", "new", "--job-id", "left", stopAt: stop)
    guard saved.status == 137 else { throw saved.failure() }
    if hides { try Command.run("mv", [disks[1], path("away")]) }
    return "left"
  }

  /// Brings the second disk back to its place.
  func bringBack() throws { try Command.run("mv", [path("away"), disks[1]]) }

  /// Has the catalog refuse something, as a trigger names it: `INSERT ON node`.
  func breakCatalog(_ what: String) throws {
    try Command.run(
      "sqlite3",
      [
        "-cmd", ".timeout 10000", catalog,
        "CREATE TRIGGER no BEFORE \(what) BEGIN SELECT RAISE(ABORT, 'no'); END",
      ])
  }

  /// Takes back ``breakCatalog(_:)``.
  func mendCatalog() throws {
    try Command.run("sqlite3", ["-cmd", ".timeout 10000", catalog, "DROP TRIGGER no"])
  }
}
