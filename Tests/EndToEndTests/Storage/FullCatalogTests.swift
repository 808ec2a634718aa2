import Glibc
import TestOracles
import Testing

/// A catalog on a file system that fills up.
@Suite("Full catalogs") struct FullCatalogTests {
  /// Two disks with a snapshot, registered in a catalog with little room.
  private struct Fixture {
    let program: Program
    let fileSystem: SmallFileSystem

    init() throws {
      program = try Program()
      fileSystem = try SmallFileSystem(size: 2 << 20)
      for disk in program.disks {
        try QemuImg.create(program.path(disk), size: "4M")
        try QemuIO.write(1, at: 0, length: 1 << 20, in: program.path(disk))
        try run("node", "add", String(disk.prefix { $0 != "." }), disk)
      }
      try run("save", "--tag", "old")
    }

    /// Runs snapjob; the limit only keeps a command that never ends from hanging the tests.
    func attempt(_ arguments: [String]) throws -> CommandResult {
      try program.attempt(
        ["--catalog", "\(fileSystem.path)/catalog.sqlite"] + arguments, limit: .seconds(20))
    }

    @discardableResult func run(_ arguments: String...) throws -> CommandResult {
      let result = try attempt(arguments)
      guard result.status == 0 else { throw result.failure() }
      return result
    }

    /// Fills the file system but for some bytes.
    func fill(leaving byteCount: Int) throws {
      try Command.run(
        "sh",
        [
          "-c",
          """
          cat /dev/zero > "$1" 2> /dev/null
          truncate -s "-$2" "$1"
          """, "sh", "\(fileSystem.path)/filler", "\(byteCount)",
        ])
    }

    /// With room again: one recovery, after which nothing is open and both disks are alike.
    ///
    /// - Returns: the tags on both disks.
    func recovered() throws -> [String] {
      try Command.run("rm", ["\(fileSystem.path)/filler"])
      try run("recover")
      let jobs = try JSONValue(parsing: run("query-jobs", "--json").text)
      let statuses = jobs.array?.map { $0["status"]?.string } ?? []
      #expect(statuses.allSatisfy { $0 == "concluded" }, "\(jobs)")
      for disk in program.disks {
        let check = try QemuImg.check(program.path(disk))
        #expect(check.isClean, "\(check.text)")
      }
      let tags = try program.tags()
      #expect(tags[0] == tags[1])
      try run("list")
      try run("save", "--tag", "last")
      return tags[0]
    }
  }

  @Test(
    "a save whose catalog has no room ends, and every command gives the same code about it",
    .enabled(if: SmallFileSystem.isPossible, "needs the right to mount a tmpfs"),
    arguments: [0, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256])
  func full(kibibytes: Int) throws {
    let fixture = try Fixture()
    try fixture.fill(leaving: kibibytes << 10)
    let result = try fixture.attempt(["save", "--tag", "new"])
    #expect([0, 12, 13].contains(result.status), "\(result.failure())")
    if result.status != 0 {
      #expect(result.standardError.contains(fixture.fileSystem.path), "\(result.standardError)")
    }
    let others = [
      ["recover"], ["save", "--tag", "other"], ["load", "--tag", "old", "--yes"],
      ["query-jobs"], ["list"],
    ]
    for arguments in others {
      let other = try fixture.attempt(arguments)
      let expected = result.status == 0 ? [0, 12, 13] : [0, result.status]
      #expect(expected.contains(other.status), "\(other.failure())\n\(result.failure())")
    }
    let tags = try fixture.recovered()
    #expect(tags.contains("old"))
    if result.status == 0 { #expect(tags.contains("new")) }
  }

  @Test(
    "a job that waits to be finalized while its catalog fills up is done or undone on both disks",
    .enabled(if: SmallFileSystem.isPossible, "needs the right to mount a tmpfs"),
    arguments: ["finalize", "cancel"], [0, 16, 64])
  func pending(verb: String, kibibytes: Int) throws {
    let fixture = try Fixture()
    try fixture.run("save", "--tag", "new", "--job-id", "J", "--no-auto-finalize")
    let job = try JSONValue(parsing: fixture.run("job", "show", "J", "--json").text)
    let worker = try #require(job["worker"]?["pid"]?.int)
    // Nothing may stay behind that keeps the file system in use.
    defer { kill(pid_t(worker), SIGKILL) }
    try fixture.fill(leaving: kibibytes << 10)
    let result = try fixture.attempt(["job", verb, "J"])
    // A worker that can neither go on nor write why ends; whoever asks it is told what settles its job.
    let hasEnded = result.status == 5 && result.standardError.contains(" recover` settles it")
    #expect([0, 1, 7, 12, 13].contains(result.status) || hasEnded, "\(result.failure())")
    try Command.run("rm", ["\(fixture.fileSystem.path)/filler"])
    // Whatever has become of it: with room the worker can be asked again, or is gone.
    _ = try fixture.attempt(["job", verb, "J"])
    let end = try fixture.attempt(["job", "wait", "J", "--timeout", "15"])
    #expect(end.status != 7, "\(end.failure())")
    try Command.run("touch", ["\(fixture.fileSystem.path)/filler"])
    let tags = try fixture.recovered()
    #expect(tags == (end.status == 0 ? ["old", "new"] : ["old"]), "\(end.failure())")
  }
}
