import TestOracles
import Testing

@testable import Qcow2

/// Images that a snapjob version has touched which marked them.
@Suite struct EarlierMarkerTests {
  private let commit = CommitID()
  private let catalog = CatalogID()

  /// An image with snapshots, with the 48-byte extension and the marker bit of such a version.
  private func makeImage(_ options: [String] = []) throws -> TestImage {
    let image = try TestImage(size: "1M", options, ["write -P 1 0 100k"])
    try QemuImg.createSnapshot("one", in: image.path)
    try QemuIO.run(["write -P 2 0 100k"], on: image.path)
    let pending = [UInt8](repeating: 0, count: 16)
    try image.append([(HeaderExtension.snapjob, commit.bytes + pending + catalog.bytes)])
    if try image.open().version == 3 {
      let bits: UInt64 = try image.number(UInt64.self, at: 88)
      try image.poke(bits | 1 << 57, at: 88)
    }
    return image
  }

  @Test("Readers leave the marker where it is, and say so")
  func readers() throws {
    let image = try makeImage()
    let before = try image.bytes()
    for purpose in [Image.Purpose.peek, .read, .check] {
      let opened = try image.open(purpose)
      #expect(opened.hasMarker)
      #expect(opened.mark == SnapjobMark(last: commit, catalog: catalog))
    }
    #expect(try image.bytes() == before)
  }

  @Test(
    "Whoever opens an image for writing takes the marker away, and changes nothing else",
    arguments: [Image.Purpose.change, .repair])
  func writers(purpose: Image.Purpose) throws {
    let image = try makeImage()
    var expected = try image.bytes()
    expected[88] &= ~2
    let opened = try image.open(purpose)
    #expect(!opened.hasMarker)
    #expect(opened.mark == SnapjobMark(last: commit, catalog: catalog))
    opened.unlock()
    #expect(try image.bytes() == expected)
    try image.expectClean()
  }

  @Test("The marker's removal is durable before anything else is done")
  func durable() throws {
    let start = try makeImage().bytes()
    let file = MemoryFile(start)
    _ = try file.open(.change)
    #expect(file.operations.count == 2)
    #expect(file.operations.first?.isFirstSector == true)
    #expect(file.operations.last == .synchronize)
    _ = try file.open(.change)
    #expect(file.operations.count == 2)
  }

  @Test("A repair by qemu-img keeps the snapshots once the marker is gone")
  func repairKeepsSnapshots() throws {
    let image = try makeImage(["cluster_size=4096"])
    let content = try QemuImg.contentDigest(image.path, snapshot: "one")
    _ = try image.open(.change)
    for scope in ["leaks", "all"] {
      try Command.run("qemu-img", ["check", "-q", "-r", scope, "-f", "qcow2", image.path])
      #expect(try QemuImg.snapshotNames(image.path) == ["one"])
      #expect(try QemuImg.contentDigest(image.path, snapshot: "one") == content)
    }
    try image.expectClean()
    // So does one after a change by this snapjob.
    try image.save("two")
    try Command.run("qemu-img", ["check", "-q", "-r", "all", "-f", "qcow2", image.path])
    #expect(try QemuImg.snapshotNames(image.path) == ["one", "two"])
    #expect(try image.open().mark?.previous == commit)
    try image.expectClean()
  }

  @Test("An image of version 2 has no such bit, and is not written to")
  func version2() throws {
    let image = try makeImage(["compat=0.10"])
    let before = try image.bytes()
    let opened = try image.open(.change)
    #expect(!opened.hasMarker)
    #expect(opened.lastCommit == commit)
    #expect(try image.bytes() == before)
  }

  @Test("The fence of such a version is kept from everybody, and can be given up by what it says")
  func fence() throws {
    let image = try makeImage()
    let content = try QemuImg.contentDigest(image.path)
    try image.poke(UInt64(1) << 57, at: 72)
    let before = try image.bytes()
    for purpose in [Image.Purpose.peek, .read, .change, .check, .repair] {
      let error = try #require(throws: Qcow2Error.self) { _ = try image.open(purpose) }
      #expect(error.code == .conflict)
      #expect(error.advice == .abandon)
    }
    #expect(try image.bytes() == before)
    #expect(try image.firstSector().hasMarkedFence)
    try image.unfence()
    #expect(try !image.firstSector().hasMarkedFence)
    #expect(try image.open().header.autoclear == [])
    try image.expectClean()
    #expect(try QemuImg.contentDigest(image.path) == content)
    #expect(try QemuImg.snapshotNames(image.path) == ["one"])
  }
}
