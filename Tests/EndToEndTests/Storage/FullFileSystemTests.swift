import TestOracles
import Testing

/// Images on file systems that copy on write and have no room: there even a write of old bytes over old
/// bytes fails.
@Suite("Full copy-on-write file systems") struct FullFileSystemTests {
  typealias Kind = CopyOnWriteFileSystem.Kind

  /// A job on all disks.
  enum Operation: String, Sendable, CaseIterable {
    case save, load, delete

    var arguments: [String] {
      switch self {
      case .save: ["save", "--tag", "new"]
      case .load: ["load", "--tag", "old", "--yes"]
      case .delete: ["delete", "--tag", "old", "--yes"]
      }
    }
  }

  /// Where a job's disks lie.
  enum Places: String, Sendable, CaseIterable {
    case one, two
    /// The first one where there is room.
    case mixed
  }

  /// A file system with images, and the program to try on them.
  private struct Fixture {
    let program: Program
    let fileSystem: CopyOnWriteFileSystem
    let paths: [String]

    /// Makes disks with a snapshot and later writes.
    init(_ kind: Kind, _ places: Places) throws {
      program = try Program()
      fileSystem = try CopyOnWriteFileSystem(kind)
      let inside = fileSystem.path
      switch places {
      case .one: paths = ["\(inside)/disk0.qcow2"]
      case .two: paths = ["\(inside)/disk0.qcow2", "\(inside)/disk1.qcow2"]
      case .mixed: paths = [program.path("disk0.qcow2"), "\(inside)/disk1.qcow2"]
      }
      for path in paths {
        try QemuImg.create("\(path).first", size: "2M", options: ["cluster_size=4096"])
        try QemuIO.write(1, at: 0, length: 1 << 20, in: "\(path).first")
        try QemuImg.createSnapshot("old", in: "\(path).first")
        try QemuIO.write(2, at: 300_000, length: 1 << 20, in: "\(path).first")
      }
      try restore()
    }

    /// Makes the disks anew, which share their blocks with the first ones where the file system can.
    func restore() throws {
      for path in paths {
        let isInside = path.hasPrefix(fileSystem.path)
        let way = isInside ? "--reflink=always" : "--reflink=auto"
        try Command.run("cp", [way, "--remove-destination", "\(path).first", path])
      }
    }

    func attempt(_ operation: Operation) throws -> CommandResult {
      try program.attempt(operation.arguments + ["--file"] + paths)
    }

    /// The content of each state of each disk.
    func states() throws -> [[String: String]] {
      try paths.map { path in
        var states = ["": try QemuImg.contentDigest(path)]
        for tag in try QemuImg.snapshotNames(path) {
          states[tag] = try QemuImg.contentDigest(path, snapshot: tag)
        }
        return states
      }
    }

    /// What the states must be after a job.
    func outcome(of operation: Operation, _ before: [[String: String]]) -> [[String: String]] {
      before.map { states in
        var after = states
        switch operation {
        case .save: after["new"] = states[""]
        case .load: after[""] = states["old"]
        case .delete: after["old"] = nil
        }
        return after
      }
    }

    /// Fails the test unless no job is open and qemu finds nothing wrong.
    func expectSettled(_ comment: Comment) throws {
      let statuses = try program.jobStatuses()
      #expect(statuses.allSatisfy { $0 == "concluded" }, "\(comment): \(statuses)")
      for path in paths {
        let check = try QemuImg.check(path)
        #expect(check.isClean, "\(comment): \(check.text)")
        #expect(try program.run("check", path).status == 0, comment)
      }
    }
  }

  @Test(
    "a job on a file system without a byte ends with code 12 and says so, and all is as it was",
    .enabled(if: LoopDevice.isPossible, "needs root and a free loop device"),
    arguments: Kind.allCases.flatMap { kind in Operation.allCases.map { (kind, $0) } },
    Places.allCases)
  func full(_ which: (kind: Kind, operation: Operation), places: Places) throws {
    let fixture = try Fixture(which.kind, places)
    let before = try fixture.states()
    try fixture.fileSystem.fill()
    let result = try fixture.attempt(which.operation)
    #expect(result.status == 12, "\(result.failure())")
    #expect(result.standardError.contains(fixture.fileSystem.path), "\(result.standardError)")
    let advice = ["Make room", "make room", "Free ", "free "]
    #expect(advice.contains { result.standardError.contains($0) }, "\(result.standardError)")
    #expect(try fixture.states() == before)
    try fixture.expectSettled("while it is full")
    try fixture.fileSystem.makeRoom()
    try fixture.program.run("recover")
    #expect(try fixture.states() == before)
    try fixture.expectSettled("with room")
    let again = try fixture.attempt(which.operation)
    #expect(again.status == 0, "\(again.failure())")
    #expect(try fixture.states() == fixture.outcome(of: which.operation, before))
    try fixture.expectSettled("with room, done")
  }

  @Test(
    "however little room there is, a job is done on all disks or, with room and a recovery, on none",
    .enabled(if: LoopDevice.isPossible, "needs root and a free loop device"),
    arguments: Kind.allCases, TestScope.isFull ? Operation.allCases : [.save])
  func nearlyFull(kind: Kind, operation: Operation) throws {
    let fixture = try Fixture(kind, .two)
    let before = try fixture.states()
    let after = fixture.outcome(of: operation, before)
    var codes: [Int32] = []
    for blockCount in [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 256] {
      try fixture.restore()
      try fixture.fileSystem.fill(leaving: blockCount)
      let result = try fixture.attempt(operation)
      codes.append(result.status)
      try fixture.fileSystem.makeRoom()
      #expect(
        result.status == 0 || result.status == 12, "\(blockCount) blocks: \(result.failure())")
      try fixture.program.run("recover")
      let found = try fixture.states()
      let isWhole = found == after || (result.status != 0 && found == before)
      #expect(isWhole, "\(blockCount) blocks: \(found)\n\(result.failure())")
      try fixture.expectSettled("\(blockCount) blocks")
    }
    #expect(codes.first == 12 && codes.last == 0, "\(codes)")
  }
}
