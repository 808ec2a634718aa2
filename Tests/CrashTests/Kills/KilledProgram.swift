import Glibc
import Qcow2
import SystemPackage
import TestOracles

/// The real program on two disks, killed by `kill -9` again and again, and recovered by its next command.
final class KilledProgram {
  /// What it is killed at.
  enum Job: String, CaseIterable, Sendable {
    case save, load, delete, replace, saveCurrent, clearBitmap

    var arguments: [String] {
      switch self {
      case .save: ["save", "--tag", "new"]
      case .load: ["load", "--tag", "old", "--yes"]
      case .delete: ["delete", "--tag", "old", "--yes"]
      case .replace: ["save", "--tag", "old", "--replace"]
      case .saveCurrent: ["load", "--tag", "old", "--save-current", "now", "--yes"]
      case .clearBitmap: ["save", "--tag", "new", "--clear-bitmap", "daily"]
      }
    }
  }

  private let directory: TemporaryDirectory
  private let program: String
  private let disks: [String]
  private let judge: ImageJudge
  private var stages: [Job: Stages] = [:]
  /// How long a job takes.
  private var durations: [Job: Duration] = [:]

  static let diskSize = 2 << 20

  init(diskCount: Int) throws {
    directory = try TemporaryDirectory.inMemory()
    program = try BuiltProduct.path("snapjob")
    let directory = directory
    disks = (0..<diskCount).map { directory.path("work/disk\($0).qcow2") }
    judge = ImageJudge(
      foreignRange: Self.diskSize - 4096..<Self.diskSize, scratch: directory.path("raw"),
      convertInterval: 4)
    try makeDisks()
    for job in Job.allCases {
      try restore()
      var stages = Stages()
      stages.add(try look())
      let start = ContinuousClock.now
      try run(job.arguments)
      durations[job] = ContinuousClock.now - start
      stages.add(try look())
      self.stages[job] = stages
    }
  }

  private func makeDisks() throws {
    mkdir(directory.path("work"), 0o700)
    for (index, disk) in disks.enumerated() {
      try QemuImg.create(disk, size: "\(Self.diskSize)", options: ["cluster_size=4096"])
      try QemuBitmaps.add("daily", to: disk, granularity: 4096)
      try QemuIO.run(["write -P \(index + 1) 0 300k"], on: disk)
      try run(["node", "add", "disk\(index)", disk])
    }
    try run(["save", "--tag", "old"])
    for (index, disk) in disks.enumerated() {
      try QemuIO.run(["write -P \(index + 9) 100k 300k"], on: disk)
    }
    try Command.run("cp", ["-a", directory.path("work"), directory.path("kept")])
  }

  private func restore() throws {
    try Command.run("rm", ["-rf", directory.path("work/catalog")])
    for disk in disks {
      let name = disk.split(separator: "/").last ?? ""
      // The files stay the same files.
      try Command.run("cp", [directory.path("kept/\(name)"), disk])
    }
    try Command.run("cp", ["-a", directory.path("kept/catalog"), directory.path("work/catalog")])
  }

  private func look() throws -> [ImageView] {
    try disks.map { try judge.look(at: $0, FileContent(of: $0)) }
  }

  private var environment: [String: String] {
    [
      "SNAPJOB_CATALOG": directory.path("work/catalog/catalog.sqlite"), "SNAPJOB_WAIT_LOCK": "0",
      "SNAPJOB_MACHINE": "default", "TZ": "UTC",
    ]
  }

  @discardableResult private func run(_ arguments: [String]) throws -> CommandResult {
    try Command.run(program, arguments, environment: environment, limit: .seconds(120))
  }

  // MARK: One kill

  /// Kills the program at a step of its commit.
  ///
  /// - Returns: what was wrong afterwards; nil if it did not come to that step.
  func kill(_ job: Job, at stop: String) throws -> [(Tally.Damage, String)]? {
    try restore()
    var environment = environment
    environment["SNAPJOB_STOP_AT"] = stop
    let result = try Command.attempt(
      program, job.arguments, environment: environment, limit: .seconds(120))
    guard result.status == 128 + SIGKILL else {
      return result.status == 0 ? nil : [(.stuck, "\(result.failure())")]
    }
    return try judgeOutcome(job)
  }

  /// Kills the program after a part of its time.
  ///
  /// - Returns: what was wrong afterwards.
  func kill(_ job: Job, after part: Double) throws -> [(Tally.Damage, String)] {
    try restore()
    let null = try FileDescriptor.open("/dev/null", .readWrite)
    defer { try? null.close() }
    let child = try ChildProcess(
      [program] + job.arguments, environment: environment, input: null, output: null, error: null)
    let time = durations[job] ?? .milliseconds(300)
    usleep(UInt32(Double(time / .microseconds(1)) * part))
    child.kill()
    _ = child.wait()
    return try judgeOutcome(job)
  }

  private func judgeOutcome(_ job: Job) throws -> [(Tally.Damage, String)] {
    var verdict = Verdict(stages[job] ?? Stages(), diskCount: disks.count)
    verdict.judgeBefore(try look())
    let recovery = try Command.attempt(
      program, ["recover"], environment: environment, limit: .seconds(120))
    if recovery.status != 0 { verdict.note(.stuck, "\(recovery.failure())") }
    verdict.judgeAfter(try look(), ForeignWork())
    let jobs = try run(["query-jobs", "--json"]).text
    for status in ["created", "running", "waiting", "pending", "aborting"]
    where jobs.contains("\"\(status)\"") {
      verdict.note(.stuck, "a job is \(status)")
    }
    // The disks are as good as new for the next job.
    try run(["save", "--tag", "afterwards"])
    for (disk, view) in try look().enumerated() where view.usability != .checked(0) {
      verdict.note(.unclean, "disk\(disk) after the next job: \(view.usability)")
    }
    return verdict.damages
  }
}
