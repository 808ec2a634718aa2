import TestOracles
import Testing

@testable import Qcow2

/// Images whose lazy refcounts nobody brought up to date.
@Suite struct DirtyImageTests {
  /// An image with a snapshot, and writes whose refcounts a killed qemu-io left behind.
  private func makeImage() throws -> TestImage {
    let image = try TestImage(
      size: "8M", ["lazy_refcounts=on", "cluster_size=4096"], ["write -P 1 0 1M"])
    try QemuImg.createSnapshot("a", in: image.path)
    let killed = try Command.attempt(
      "qemu-io",
      ["-f", "qcow2", "-c", "write -P 2 512k 1M", "-c", "flush", "-c", "sigraise 9", image.path])
    #expect(killed.status != 0)
    #expect(try image.open().header.incompatible.contains(.dirty))
    #expect(try image.open(.check).check().exitCode == 2)
    return image
  }

  @Test("Each change counts the refcounts anew and clears the dirty bit", arguments: 0..<4)
  func changes(way: Int) throws {
    let image = try makeImage()
    let active = try image.digest()
    let snapshot = try image.digest(snapshot: 0)
    let prepared = try image.prepare { draft in
      switch way {
      case 0: try draft.takeSnapshot(tag: "b", date: .init(seconds: 1, nanoseconds: 0))
      case 1: try draft.load(position: 0)
      case 2: try draft.deleteSnapshot(position: 0)
      default: try draft.write([UInt8](repeating: 7, count: 9000), at: 600_000)
      }
    }
    #expect(try Image.open(image.path, for: .peek).header.incompatible.contains(.dirty))
    try prepared.publish()
    try prepared.finish()
    prepared.image.unlock()
    try image.expectClean()
    #expect(try image.number(UInt64.self, at: 72) == 0)
    #expect(try image.number(UInt64.self, at: 80) == 1, "lazy refcounts stay on")
    if way < 3 { #expect(try image.digest() == (way == 1 ? snapshot : active)) }
    if way != 2 { #expect(try image.digest(snapshot: 0) == snapshot) }
    try QemuIO.run(["write -P 9 0 2M"], on: image.path)
    try image.expectClean()
    if way != 2 { #expect(try image.digest(snapshot: 0) == snapshot) }
  }

  @Test("Undoing a change leaves the image dirty, and qemu repairs it")
  func undone() throws {
    let image = try makeImage()
    let active = try image.digest()
    let prepared = try image.prepare {
      try $0.takeSnapshot(tag: "b", date: .init(seconds: 1, nanoseconds: 0))
    }
    try prepared.undo()
    prepared.image.unlock()
    #expect(try image.number(UInt64.self, at: 72) == 1)
    // A writable open repairs a dirty image.
    try QemuIO.run(["read -P 2 512k 1M"], on: image.path)
    try image.expectClean()
    #expect(try image.digest() == active)
  }

  @Test("A dirty image that is damaged besides is refused with the finding")
  func damaged() throws {
    let image = try makeImage()
    try image.poke(UInt64(1) << 40, at: MetadataMap(image.open()).activeL2s[0].lowerBound)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.draft() }
    #expect(error.code == .corrupt)
    #expect(error.message.contains("exceeding the end of the file"))
  }
}
