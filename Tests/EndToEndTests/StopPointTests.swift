import Qcow2
import TestOracles
import Testing

/// A process that dies at each step of a commit, and what the next command makes of it.
@Suite("Stop points") struct StopPointTests {
  /// A job that changes both disks.
  enum Operation: String, CaseIterable, Sendable {
    case save, load, delete, replace, point, receive
    /// The same with device state in the snapshot `old`, which goes with the disks (but before the load).
    case saveState, loadState, deleteState
    /// A device state from a file.
    case loadFile

    var arguments: [String] {
      switch self {
      case .saveState: ["save", "--tag", "new"]
      case .loadState: ["load", "--tag", "old", "--yes"]
      case .deleteState: ["delete", "--tag", "old", "--yes"]
      case .loadFile: ["devices", "load", "machine.state"]
      case .save: ["save", "--tag", "new"]
      case .point: ["save", "--tag", "new", "--clear-bitmap", "daily"]
      case .load: ["load", "--tag", "old", "--yes"]
      case .delete: ["delete", "--tag", "old", "--yes"]
      case .replace: ["save", "--tag", "old", "--replace"]
      case .receive: ["bitmap", "receive", "--from", "file:stream"]
      }
    }
  }

  /// A device state that QEMU has written.
  private static let state: String = {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(root)/testdata/savevm-microvm.qevm"
  }()

  /// Small, as every state of them is read many times.
  private static let sizes = ("12M", "8M")

  /// Both passages of the steps that every image takes.
  static let stops: [String] = StopPoint.allCases.flatMap { point in
    switch point {
    case .beforeFence, .afterFence, .beforePublish, .afterPublish:
      [point.rawValue, "\(point.rawValue):2"]
    case .beforeIntent, .afterIntent, .beforeRecord, .afterRecord, .beforeSettle, .afterSettle:
      [point.rawValue]
    }
  }

  /// What can be seen of the disks from outside.
  struct View: Equatable {
    let digests: [String]
    let tags: [[String]]
    let dates: [String]
    let bitmaps: [[Bitmap: String]]
    /// Whether the next save would keep device state.
    var hasState: Bool
    /// Bytes of device state of all snapshots.
    let stateSizes: [Int64]

    init(_ program: Program) throws {
      digests = try program.digests()
      tags = try program.tags()
      // The replaced snapshot has the same name; its content tells it from the old one.
      bitmaps = try program.disks.map { disk in
        let image = try Image.open(program.path(disk), for: .read)
        var digests: [Bitmap: String] = [:]
        for bitmap in image.bitmaps {
          digests[bitmap] =
            bitmap.isInconsistent
            ? "" : try image.bitmapContent(named: bitmap.name).sha256()
        }
        return digests
      }
      dates = try program.disks.map { disk in
        guard try QemuImg.snapshotNames(program.path(disk)).contains("old") else { return "" }
        return try QemuImg.contentDigest(program.path(disk), snapshot: "old")
      }
      hasState = try program.run("save", "--tag", "probe", "--dry-run").text
        .contains("device state")
      stateSizes = try program.disks.flatMap { disk in
        try QemuImg.info(program.path(disk))["snapshots"]?.array?
          .compactMap { $0["vm-state-size"]?.int } ?? []
      }
    }
  }

  @Test(
    "a job killed at any step is done or undone on all disks by the next command",
    arguments: [Operation.save, .load, .delete, .replace, .receive], stops)
  func killed(operation: Operation, stop: String) throws {
    try check(operation, stop, secondOptions: [])
  }

  @Test(
    "a bitmap that is changed when the process dies is as before or as after, and never in use",
    arguments: [
      ["bitmap", "clear", "disk0", "daily"], ["bitmap", "remove", "disk0", "daily"],
      ["bitmap", "add", "disk0", "first"], ["bitmap", "disable", "disk0", "daily"],
    ],
    [
      "before-intent", "after-intent", "before-publish", "after-publish", "before-settle",
      "after-settle",
    ])
  func bitmap(arguments: [String], stop: String) throws {
    let program = try Program()
    try program.makeDisks(sizes: Self.sizes)
    if arguments.last == "daily" { try QemuBitmaps.add("daily", to: program.path("disk0.qcow2")) }
    try QemuIO.write(3, at: 0, length: 1 << 20, in: program.path("disk0.qcow2"))
    let before = try View(program)
    let result = try run(program, arguments, stopAt: stop)
    #expect(result.status == 137, "\(result.failure())")
    #expect(try QemuImg.check(program.path("disk0.qcow2")).isClean)
    try program.run("query-jobs")
    let found = try View(program)
    // One disk alone: the write of its first sector is the commit point.
    let isPastCommit = ["after-publish", "settle"].contains { stop.contains($0) }
    #expect((found != before) == isPastCommit)
    #expect(found.bitmaps[0].keys.allSatisfy { !$0.isInconsistent })
    let listed = try QemuBitmaps.look(at: program.path("disk0.qcow2"))
    #expect(
      listed.digests
        == Dictionary(uniqueKeysWithValues: found.bitmaps[0].map { ($0.key.name, $0.value) }))
    #expect(try QemuImg.check(program.path("disk0.qcow2")).isClean)
    try program.run("bitmap", "add", "disk0", "afterwards")
  }

  @Test(
    "the device state goes with the disks of before or of after, wherever a job is killed",
    arguments: [Operation.saveState, .loadState, .deleteState, .loadFile],
    ["after-intent", "before-record", "after-record", "after-publish", "before-settle"])
  func killedWithState(operation: Operation, stop: String) throws {
    try check(operation, stop, secondOptions: [])
  }

  @Test(
    "the same with a version 2 disk in the set, which keeps no bitmaps",
    arguments: [Operation.save, .load, .delete, .replace, .loadFile],
    ["after-fence:2", "after-record", "before-publish:2", "after-publish", "before-settle"])
  func killedWithVersion2(operation: Operation, stop: String) throws {
    try check(operation, stop, secondOptions: ["compat=0.10"])
  }

  @Test("Whoever looks at a pending commit writes nothing; whoever waits is told what is open")
  func pending() throws {
    let program = try Program()
    try program.makeDisks(sizes: Self.sizes)
    let arguments = ["save", "--tag", "new", "--job-id", "j"]
    #expect(try run(program, arguments, stopAt: "after-record").status == 137)
    for looking in [["list"], ["check"], ["verify"], ["diff", "new"]] {
      #expect(try program.attempt(looking).status != 0)
      for disk in program.disks {
        #expect(try QemuImg.check(program.path(disk)).text.contains("commit pending"), "\(looking)")
      }
    }
    try Command.run("mv", [program.path("disk1.qcow2"), program.path("away")])
    let questions = [
      ["job", "wait", "j"], ["job", "finalize", "j"], ["save", "--tag", "more"], ["recover"],
    ]
    for asking in questions {
      let answer = try program.attempt(asking)
      #expect(answer.status == 6, "\(asking): \(answer.failure())")
      #expect((answer.standardError + answer.text).contains("disk1.qcow2"), "\(asking)")
    }
    try Command.run("mv", [program.path("away"), program.path("disk1.qcow2")])
    try program.run("job", "wait", "j")
    #expect(try program.run("list").text.contains("new"))
  }

  private func check(_ operation: Operation, _ stop: String, secondOptions: [String]) throws {
    let program = try Program()
    try program.makeDisks(sizes: Self.sizes, secondOptions: secondOptions)
    // A received bitmap must be new on its disk.
    if operation != .receive {
      for disk in secondOptions.isEmpty ? program.disks : ["disk0.qcow2"] {
        try QemuBitmaps.add("daily", to: program.path(disk))
      }
    }
    try Command.run("cp", [Self.state, program.path("machine.state")])
    let hasState = [.saveState, .loadState, .deleteState].contains(operation)
    if hasState { try program.run("devices", "load", "machine.state") }
    try program.run("save", "--tag", "old")
    try QemuIO.write(3, at: 0, length: 1 << 20, in: program.path("disk0.qcow2"))
    try QemuIO.write(4, at: 0, length: 2 << 20, in: program.path("disk1.qcow2"))
    if operation == .receive { try makeStream(program) }
    if hasState, operation != .loadState { try program.run("load", "--tag", "old", "--yes") }
    let before = try View(program)

    // What it would be like without the kill, on copies.
    let twin = try Program()
    // The catalog as well: it knows the device state.
    try Command.run("cp", ["-a", program.path("catalog"), twin.path("catalog")])
    for disk in program.disks {
      try Command.run("cp", ["-a", program.path(disk), twin.path(disk)])
      let node = String(disk.prefix(5))
      try twin.run("machine", "set", "default", "--file", "\(node)=\(twin.path(disk))")
    }
    if operation == .receive {
      try Command.run("cp", [program.path("stream"), twin.path("stream")])
    }
    try Command.run("cp", [Self.state, twin.path("machine.state")])
    let arguments = operation.arguments
    try #require(try run(twin, arguments, stopAt: nil).status == 0)
    let after = try View(twin)
    #expect(after != before)

    let result = try run(program, arguments, stopAt: stop)
    #expect(result.status == 137, "\(result.failure())")

    for disk in program.disks {
      let check = try QemuImg.check(program.path(disk))
      let isRefused = check.text.contains("snapjob commit pending: run snapjob recover")
      #expect(check.isClean || isRefused, "\(disk) after \(stop): \(check.text)")
    }

    try program.run("query-jobs")
    let found = try View(program)
    let isPastCommit = ["after-record", "publish", "settle"].contains { stop.contains($0) }
    var expected = isPastCommit ? after : before
    // A disk that is published when the process dies lies open to everybody: a state that waits for these very
    // files is not trusted then.
    if operation == .loadFile {
      if ["after-publish", "settle"].contains(where: stop.contains) { expected.hasState = false }
      // The disks are published side by side: the first may be published by then or not.
      if stop == "before-publish:2" { expected.hasState = found.hasState }
    }
    #expect(found == expected, "after \(stop)")
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
    let jobs = try program.run("query-jobs", "--json").text
    #expect(!jobs.contains("\"pending\"") && !jobs.contains("\"running\""), "\(jobs)")
    try #require(try program.run("recover").status == 0)
    // The disks are as good as new for the next job.
    try program.run("save", "--tag", "afterwards")
    for disk in program.disks { #expect(try QemuImg.check(program.path(disk)).isClean) }
  }

  /// A stream with a bitmap for each disk, which has none itself.
  private func makeStream(_ program: Program) throws {
    for disk in program.disks {
      try QemuBitmaps.add("b", to: program.path(disk))
      try QemuIO.write(5, at: 5 << 20, length: 100_000, in: program.path(disk))
    }
    try program.run("bitmap", "send", "--to", "file:stream")
    for disk in program.disks {
      try Command.run("qemu-img", ["bitmap", "--remove", program.path(disk), "b"])
    }
  }

  private func run(
    _ program: Program, _ arguments: [String], stopAt: String?
  ) throws -> CommandResult {
    try program.attempt(arguments, stopAt: stopAt)
  }
}
