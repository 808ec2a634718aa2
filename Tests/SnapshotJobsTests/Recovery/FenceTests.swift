import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import Synchronization
import TestOracles
import Testing

/// The fence, and version 2 images, which have none.
@Suite struct FenceTests {
  @Test func `a catalog from elsewhere refuses a fenced image with the other's id`()
    async throws
  {
    let home = try Workbench()
    let nodes = try home.makeThreeDisks()
    let before = try digests(nodes)
    let id = try home.interrupt(
      .load("old", on: nodes), on: nodes, published: [0], fenced: [1, 2])
    let elsewhere = try Workbench()
    for request in [
      SnapshotRequest.save("x", on: [nodes[1]]), .load("old", on: [nodes[1]]),
      .delete("old", on: [nodes[1]]),
    ] {
      let error = try await elsewhere.fail(request, on: [nodes[1]])
      #expect(error.kind == .conflict)
      #expect(error.message.contains("disk1: \(nodes[1].path)"))
      #expect(error.message.contains("catalog \(home.catalog.catalogID)"))
      #expect(error.message.contains("snapjob recover"))
    }
    #expect(try elsewhere.recovery.run().isEmpty)
    // Listing works all the same.
    #expect(try Machine(name: nil, nodes: nodes).snapshots().map(\.tag) == ["old"])

    // At home the record stands in the way; elsewhere the fence is removed.
    let refused = #expect(throws: JobError.self) {
      try home.recovery.abandon(path: nodes[1].path)
    }
    #expect(refused?.kind == .conflict)
    #expect(refused?.message.contains("job \(id)") == true)
    let link = home.directory.path("link")
    try Command.run("ln", ["-s", nodes[1].path, link])
    let refusedAgain = #expect(throws: JobError.self) {
      try home.recovery.abandon(path: link)
    }
    #expect(refusedAgain?.kind == .conflict)
    #expect(try elsewhere.recovery.abandon(path: nodes[1].path).isResolved)
    try expectAgreement([nodes[1]])
    #expect(try digests([nodes[1]]) == [before[1]])
    let none = #expect(throws: JobError.self) {
      try elsewhere.recovery.abandon(path: nodes[1].path)
    }
    #expect(none?.kind == .notFound)

    // Nobody has written to the published disk: all go back.
    #expect(try home.recovery.run().allSatisfy { $0.isResolved })
    try expectAgreement(nodes)
    #expect(try digests(nodes) == before)
    #expect(try home.conclusion(of: id).error != nil)
  }

  @Test func `QEMU refuses a fenced image in the fence's words`() async throws {
    let bench = try Workbench()
    let nodes = try bench.makeThreeDisks()
    _ = try bench.interrupt(.load("old", on: nodes), on: nodes, fenced: [0])
    let error = #expect(throws: OracleError.self) {
      _ = try QemuVM([QemuVM.Disk("drive", nodes[0].path)])
    }
    #expect(error?.description.contains(fenceWords) == true)
    #expect(try bench.recovery.run().count == 1)
    try expectAgreement(nodes)
  }

  @Test func `version 2 images are published first, while version 3 images are fenced`()
    async throws
  {
    let bench = try Workbench()
    let nodes = try bench.makeThreeDisks(versions: [3, 2, 3])
    let old = try digests(nodes, snapshot: "old")
    let diary = SectorDiary()
    let id = try bench.start(.load("old", on: nodes), on: nodes, access: bench.access(diary))
    let record = try await bench.runner.wait(for: id)
    #expect(record.error == nil)
    try expectAgreement(nodes)
    #expect(try digests(nodes) == old)
    // The marks come first, in any order.
    #expect(diary.names.count == 3 + 2 + 3)
    #expect(diary.names.dropFirst(3) == ["disk0", "disk2", "disk1", "disk0", "disk2"])
  }

  @Test func `a version 2 image that nobody has touched is brought forward`() throws {
    let bench = try Workbench()
    let nodes = try bench.makeThreeDisks(versions: [2, 2, 3])
    let old = try digests(nodes, snapshot: "old")
    let id = try bench.interrupt(
      .load("old", on: nodes), on: nodes, published: [0], fenced: [2])
    #expect(try bench.recovery.run().allSatisfy { $0.isResolved })
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try digests(nodes) == old)
    try expectAgreement(nodes)
  }

  @Test func `a version 2 image whose times have changed counts as written to`() throws {
    let bench = try Workbench()
    let nodes = try bench.makeThreeDisks(versions: [2, 3, 3])
    let before = try digests(nodes)
    let id = try bench.interrupt(.load("old", on: nodes), on: nodes, fenced: [1, 2])
    try Command.run("touch", [nodes[0].path])
    #expect(try bench.recovery.run().allSatisfy { $0.isResolved })
    #expect(try bench.conclusion(of: id).error != nil)
    #expect(try digests(nodes) == before)
    try expectAgreement(nodes)
  }

  @Test func `a published version 2 image counts as opened by others`() throws {
    let bench = try Workbench()
    let nodes = try bench.makeThreeDisks(versions: [2, 3, 3])
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0, 1])
    try nodes[2].writeAsGuest()
    let written = try digests(nodes)
    let finding = try #require(try bench.recovery.run().first)
    #expect(finding.outcome.contains("snapshot 'new' was removed"))
    #expect(try bench.conclusion(of: id).error != nil)
    #expect(try tags(nodes) == [["old"], ["old"], ["old"]])
    #expect(try digests(nodes) == written)
    try expectAgreement(nodes)
  }
}

/// Notes every write of a first sector.
private final class SectorDiary: FileObserver {
  private let paths = Mutex<[String]>([])

  /// The names of the files without directory and suffix, in order.
  var names: [String] {
    paths.withLock { $0 }.map { path in
      String(path.split(separator: "/").last?.prefix { $0 != "." } ?? "")
    }
  }

  func perform(
    _ operation: FileOperation, on file: any ImageFile,
    _ body: () throws(Qcow2Error) -> Void
  ) throws(Qcow2Error) {
    try body()
    if case .write(let bytes, at: 0) = operation, bytes.count == 512 {
      paths.withLock { $0.append(file.path) }
    }
  }
}
