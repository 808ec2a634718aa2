import JobCatalog
import Jobs
import Qcow2
import TestOracles
import Testing

@testable import SnapshotJobs

/// What recovery makes of each state in which a process can leave the images of its commit, and of what others do
/// to them before it comes.
@Suite struct RecoveryTests {
  private let bench: Workbench
  private let nodes: [Node]

  init() throws {
    bench = try Workbench()
    // A version 2 image is fenced like the others.
    nodes = try bench.makeDisks([3, 2, 3])
  }

  private func expectDone(_ id: JobID) throws {
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try tags(nodes) == nodes.map { _ in ["old", "new"] })
    try expectSettled()
  }

  private func expectUndone(_ id: JobID) throws {
    #expect(try bench.conclusion(of: id).error != nil)
    #expect(try tags(nodes) == nodes.map { _ in ["old"] })
    try expectSettled()
  }

  private func expectSettled() throws {
    try expectAgreement(nodes)
    #expect(try bench.unsettledCommits().isEmpty)
    #expect(try bench.recovery.run().isEmpty)
  }

  private func expectGuestWrite(_ byte: Int, on node: Node) throws {
    let read = try Command.attempt(
      "qemu-io", ["-r", "-f", "qcow2", "-c", "read -P \(byte) 900k 4k", node.path])
    #expect(read.text.contains("read 4096/4096") && !read.text.contains("failed"), "\(read.text)")
  }

  private func digest(of image: Image) throws -> String {
    var reader = try GuestReader(image)
    return try reader.digest()
  }

  private func move(_ node: Node, to name: String) throws -> String {
    let path = bench.directory.path(name)
    try Command.run("mv", [node.path, path])
    return path
  }

  // MARK: Several images

  @Test(arguments: [[], [0], [1], [0, 1], [2], [0, 1, 2]])
  func `with a record every disk gets its new state`(published: [Int]) throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: published)
    for index in nodes.indices where !published.contains(index) {
      #expect(try QemuImg.check(nodes[index].path).text.contains(fenceWords))
    }
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    try expectDone(id)
  }

  @Test(arguments: [[], [0], [1, 2], [0, 1, 2]])
  func `without a record every disk is byte for byte as before`(fenced: [Int]) throws {
    let before = try nodes.map { try Image.open($0.path, for: .peek).firstSector }
    let id = try bench.interrupt(
      .save("new", on: nodes), on: nodes, hasRecord: false, fenced: fenced)
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try nodes.map { try Image.open($0.path, for: .peek).firstSector } == before)
    try expectUndone(id)
  }

  @Test func `what others have written to a published disk stays`() throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0, 1])
    try nodes[0].writeAsGuest(0x5a)
    try nodes[1].writeThroughOverlay(0x5b)
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    try expectDone(id)
    try expectGuestWrite(0x5a, on: nodes[0])
    try expectGuestWrite(0x5b, on: nodes[1])
  }

  @Test func `a disk that was written to before its fence came keeps that`() throws {
    let id = try bench.interrupt(
      .save("new", on: nodes), on: nodes, hasRecord: false, fenced: [1])
    try nodes[0].writeAsGuest(0x5a)
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    try expectUndone(id)
    try expectGuestWrite(0x5a, on: nodes[0])
  }

  @Test func `a disk that another catalog has changed since counts as published`() async throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    let other = try Workbench()
    try await other.succeed(.save("other", on: [nodes[0]]), on: [nodes[0]])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(
      try tags(nodes) == [["old", "new", "other"], ["old", "new"], ["old", "new"]])
    try expectSettled()
  }

  @Test func `a disk that is away keeps the commit open, and the others are finished`() async throws
  {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    let away = try move(nodes[2], to: "away.qcow2")
    let finding = try #require(try bench.recovery.run().first)
    #expect(!finding.isResolved)
    #expect(finding.obstacle?.kind == .inUse)
    #expect(finding.outcome.contains("disk2"))
    let waiting = try #require(try bench.catalog.jobs().first { $0.id == id })
    #expect(waiting.status == .pending)
    #expect(waiting.error == finding.obstacle)
    #expect(try !UnfencedImage.isFenced(nodes[1].path))
    // Every command gives the same answer.
    let error = try await bench.fail(.save("more", on: [nodes[0]]), on: [nodes[0]])
    #expect(error == finding.obstacle)
    try Command.run("mv", [away, nodes[2].path])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    try expectDone(id)
  }

  @Test func `a disk that was finished under another name counts when it is back`() async throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    let away = try move(nodes[2], to: "away.qcow2")
    let renamed = [Node(name: nodes[2].name, path: away)]
    try await bench.succeed(.save("more", on: renamed), on: renamed)
    try Command.run("mv", [away, nodes[2].path])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try tags(nodes) == [["old", "new"], ["old", "new"], ["old", "new", "more"]])
  }

  @Test func `a fence is resolved by the catalog that knows its commit, or told`() throws {
    _ = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    let other = try Workbench()
    let paths = nodes.map(\.path)
    let told = try other.recovery.resolveFences(at: paths)
    #expect(told.map(\.isResolved) == [false, false])
    #expect(told.allSatisfy { $0.obstacle?.kind == .conflict })
    #expect(try nodes.map { try UnfencedImage.isFenced($0.path) } == [false, true, true])
    let catalog = bench.catalog
    let recovery = Recovery(
      log: other.catalog, runner: other.runner, otherLogs: { [catalog] })
    #expect(
      try recovery.resolveFences(at: paths, dryRun: true).map(\.isResolved) == [true, true])
    #expect(try UnfencedImage.isFenced(paths[1]))
    #expect(try !recovery.resolveFences(at: paths).contains { !$0.isResolved })
    #expect(try tags(nodes) == Array(repeating: ["old", "new"], count: 3))
  }

  @Test func `what was told of a settled commit is told once`() throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    _ = try move(nodes[2], to: "away.qcow2")
    _ = try bench.recovery.run(job: id, abandons: true)
    #expect(try bench.recovery.run(isThorough: true).isEmpty)
  }

  @Test func `a new state that turns up after all was taken back is told each time`() throws {
    let id = try bench.interrupt(
      .save("new", on: nodes), on: nodes, hasRecord: false, published: [2])
    let away = try move(nodes[2], to: "away.qcow2")
    _ = try bench.recovery.run(job: id, abandons: true)
    #expect(try bench.recovery.run(isThorough: true).isEmpty)
    try Command.run("mv", [away, nodes[2].path])
    for _ in 1...2 {
      let finding = try #require(try bench.recovery.run(isThorough: true).first)
      #expect(finding.obstacle?.kind == .conflict)
      #expect(finding.outcome.contains("disk2"))
    }
    #expect(try tags(nodes) == [["old"], ["old"], ["old", "new"]])
  }

  @Test func `what was given up is finished when the disk turns up after all`() async throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    let away = try move(nodes[2], to: "away.qcow2")
    let finding = try #require(try bench.recovery.run(job: id, abandons: true).first)
    #expect(finding.isResolved)
    #expect(try bench.conclusion(of: id).error?.message.contains("disk2") == true)
    try Command.run("mv", [away, nodes[2].path])
    #expect(try UnfencedImage.isFenced(nodes[2].path))
    try await bench.succeed(.save("more", on: [nodes[2]]), on: [nodes[2]])
    #expect(try tags(nodes) == [["old", "new"], ["old", "new"], ["old", "new", "more"]])
    try expectSettled()
    #expect(try bench.catalog.unconfirmedCommits().isEmpty)
  }

  @Test func `disks whose names were swapped are known by their bytes`() throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes)
    let content = try nodes.map { try digest(of: UnfencedImage($0.path).image) }
    let third = try move(nodes[0], to: "third.qcow2")
    try Command.run("mv", [nodes[1].path, nodes[0].path])
    try Command.run("mv", [third, nodes[1].path])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    try expectDone(id)
    #expect(
      try nodes.map { try digest(of: Image.open($0.path, for: .read)) }
        == [content[1], content[0], content[2]])
  }

  @Test(arguments: [true, false])
  func `a copy of a fenced disk is resolved as the disk was`(hasRecord: Bool) async throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, hasRecord: hasRecord)
    let copy = bench.directory.path("copy.qcow2")
    try Command.run("cp", [nodes[0].path, copy])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    hasRecord ? try expectDone(id) : try expectUndone(id)
    let node = Node(name: try NodeName("copy"), path: copy)
    try await bench.succeed(.save("more", on: [node]), on: [node])
    #expect(try tags([node]) == [hasRecord ? ["old", "new", "more"] : ["old", "more"]])
    try expectAgreement([node])
  }

  @Test func `a disk that was put back as it was before is left alone and named`() throws {
    let copy = bench.directory.path("copy.qcow2")
    try Command.run("cp", [nodes[1].path, copy])
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    try Command.run("mv", [copy, nodes[1].path])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try bench.conclusion(of: id).error?.message.contains("disk1") == true)
    #expect(try tags(nodes) == [["old", "new"], ["old"], ["old", "new"]])
    try expectSettled()
  }

  @Test func `a file that is no image any more is named and never written`() throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    try Command.run("sh", ["-c", "printf x > \(nodes[1].path)"])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try bench.conclusion(of: id).error?.message.contains("disk1") == true)
    #expect(try Command.run("cat", [nodes[1].path]).text == "x")
  }

  @Test func `a published disk proves the record that a catalog from before has lost`() throws {
    let id = try bench.interrupt(
      .save("new", on: nodes), on: nodes, hasRecord: false, published: [0])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    try expectDone(id)
  }

  @Test func `a disk that a machine holds is looked at again later`() throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes, published: [0])
    let vm = try QemuVM([.init("disk0", nodes[0].path)])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect(try bench.conclusion(of: id).error == nil)
    #expect(try bench.catalog.unconfirmedCommits().count == 1)
    try vm.quit()
    _ = try bench.recovery.run(isThorough: true)
    #expect(try bench.catalog.unconfirmedCommits().isEmpty)
    #expect(try tags(nodes) == nodes.map { _ in ["old", "new"] })
    try expectSettled()
  }

  @Test func `a commit of a living process is left alone`() async throws {
    let id = try bench.start(.save("new", on: nodes), on: nodes, autoFinalize: false)
    _ = try await bench.runner.wait(for: id, orPending: true)
    let other = try Catalog(path: bench.catalog.path)
    defer { other.close() }
    let runner = JobRunner(store: other, committer: ImageCommitter(log: other))
    #expect(try Recovery(log: other, runner: runner).run().isEmpty)
    #expect(try other.unsettledCommits().count == 1)
    try await bench.runner.apply(.finalize, to: id)
    #expect(try await bench.runner.wait(for: id).error == nil)
    try expectDone(id)
  }

  @Test func `jobs of one group come to one end`() throws {
    let ids = [try JobID("first"), try JobID("second")]
    try bench.interrupt(
      [(ids[0], .save("new", on: [nodes[0]])), (ids[1], .save("new", on: Array(nodes[1...])))],
      on: nodes, published: [0])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    for id in ids { try expectDone(id) }
  }

  // MARK: Fences without a commit

  @Test func `a fence of another catalog waits for it, or is taken away by force`() async throws {
    try bench.interrupt(.save("new", on: nodes), on: nodes)
    let other = try Workbench()
    let error = try await other.fail(.save("other", on: [nodes[1]]), on: [nodes[1]])
    #expect(error.kind == .conflict)
    #expect(error.message.contains("\(bench.catalog.catalogID)"))
    #expect(error.message.contains("recover --abandon --file"))
    let finding = try other.recovery.abandon(path: nodes[1].path)
    #expect(finding.isResolved)
    #expect(try tags([nodes[1]]) == [["old"]])
    try expectAgreement([nodes[1]])
    #expect(try Image.open(nodes[1].path, for: .peek).version == 2)
  }

  @Test func `force on a fence that this catalog explains finishes the commit`() throws {
    let id = try bench.interrupt(.save("new", on: nodes), on: nodes)
    #expect(try bench.recovery.abandon(path: nodes[0].path).isResolved)
    _ = try bench.recovery.run()
    try expectDone(id)
    #expect(throws: JobError.self) { try bench.recovery.abandon(path: nodes[0].path) }
  }

  // MARK: One image alone

  @Test(arguments: [3, 2], [true, false])
  func `one image alone says itself what became of its commit`(
    version: Int, isPublished: Bool
  ) throws {
    let disk = try bench.makeDisks([version])
    let id = try bench.interrupt(
      .save("new", on: disk), on: disk, published: isPublished ? [0] : [])
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    #expect((try bench.conclusion(of: id).error == nil) == isPublished)
    #expect(try tags(disk) == [isPublished ? ["old", "new"] : ["old"]])
    try expectAgreement(disk)
    #expect(try bench.unsettledCommits().isEmpty)
  }

  @Test func `one image alone that others have changed since is told as not known`() throws {
    let disk = [nodes[0]]
    let id = try bench.interrupt(.save("new", on: disk), on: disk)
    try QemuImg.createSnapshot("theirs", in: disk[0].path)
    #expect(try bench.recovery.run().map(\.isResolved) == [true])
    let error = try #require(try bench.conclusion(of: id).error)
    #expect(error.message.contains("not known"))
    #expect(try tags(disk) == [["old", "theirs"]])
    #expect(try bench.catalog.unconfirmedCommits().isEmpty)
    try expectAgreement(disk)
  }
}
