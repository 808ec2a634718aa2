import TestOracles
import Testing

@testable import Qcow2

/// Whether the active state is that of a snapshot: what real QEMU does to disks in between must show.
@Suite struct TreeEqualityTests {
  private static let formats: [[String]] = [
    ["cluster_size=4096"], ["compat=0.10", "cluster_size=4096"], [],
    ["extended_l2=on", "cluster_size=16384"],
  ]

  /// What makes a disk another one, by name. Where it leaves the bytes as they are, that is a false alarm.
  private static let writes: [[String]] = [
    ["write -P 0x33 100k 4k"], ["write -P 0x11 0 4k"], ["write -z 0 64k"], ["discard 64k 64k"],
    ["write -P 7 1900k 512"], ["write -P 0x22 4k 512", "write -P 0x11 4k 512"],
  ]

  private func makeImage(_ options: [String]) throws -> TestImage {
    let image = try TestImage(size: "2M", options)
    try QemuIO.run(["write -P 0x11 0 256k", "write -P 0x12 1M 128k"], on: image.path)
    try QemuImg.createSnapshot("s", in: image.path)
    return image
  }

  private func isAtSnapshot(_ image: TestImage, _ tag: String = "s") throws -> Bool {
    let opened = try image.open()
    let position = try #require(opened.snapshots.firstIndex { $0.name == tag })
    return try opened.isActiveState(ofSnapshot: position)
  }

  @Test(arguments: formats)
  func `a snapshot is of the active state until a write, and once it is applied again`(
    options: [String]
  ) throws {
    let image = try makeImage(options)
    for write in Self.writes {
      #expect(try isAtSnapshot(image))
      #expect(try image.open().snapshotOfActiveState() == 0)
      try QemuIO.run(write, on: image.path)
      #expect(try !isAtSnapshot(image), "\(write)")
      #expect(try image.open().snapshotOfActiveState() == nil)
      try QemuImg.applySnapshot("s", in: image.path)
    }
    #expect(try isAtSnapshot(image))
  }

  @Test(arguments: formats)
  func `what is committed into a disk from an overlay shows`(options: [String]) throws {
    let image = try makeImage(options)
    let overlay = image.path + ".overlay"
    try Command.run(
      "qemu-img", ["create", "-q", "-f", "qcow2", "-b", image.path, "-F", "qcow2", overlay])
    try QemuIO.write(0x44, at: 1 << 20, length: 4096, in: overlay)
    #expect(try isAtSnapshot(image))
    try Command.run("qemu-img", ["commit", "-q", overlay])
    #expect(try !isAtSnapshot(image))
  }

  @Test func `a compressed cluster that is written anew shows`() throws {
    let image = try makeImage(["cluster_size=65536"])
    try QemuIO.writeCompressed(5, at: 512 << 10, length: 65536, in: image.path)
    try QemuImg.createSnapshot("c", in: image.path)
    #expect(try isAtSnapshot(image, "c"))
    try QemuIO.write(5, at: 512 << 10, length: 65536, in: image.path)
    #expect(try !isAtSnapshot(image, "c"))
  }

  @Test func `a disk of another size is another one, and of the same size again the same`() throws {
    let image = try makeImage([])
    try QemuImg.resize(image.path, to: "3M")
    #expect(try !isAtSnapshot(image))
    try Command.run("qemu-img", ["resize", "-q", "--shrink", image.path, "2M"])
    #expect(try isAtSnapshot(image))
  }

  @Test func `what snapjob takes is of the active state, as QEMU's is of it`() throws {
    let image = try makeImage(["cluster_size=4096"])
    var draft = try ImageDraft(Image.open(image.path, for: .change))
    try draft.takeSnapshot(tag: "t", date: .init(seconds: 1, nanoseconds: 0))
    try draft.settle { _ in }
    #expect(try draft.positions(equalTo: 0) == [0, 1])
    let prepared = try draft.prepare { _ in }
    try prepared.publish()
    try prepared.finish()
    prepared.image.unlock()
    #expect(try isAtSnapshot(image) && isAtSnapshot(image, "t"))
    #expect(try image.open().snapshotOfActiveState() == 1)
  }

  @Test func `the heirs of a snapshot are those of its state, whatever the disk is`() throws {
    let image = try makeImage(["cluster_size=4096"])
    try QemuImg.createSnapshot("same", in: image.path)
    try QemuIO.write(9, at: 0, length: 4096, in: image.path)
    try QemuImg.createSnapshot("later", in: image.path)
    var draft = try ImageDraft(Image.open(image.path, for: .change))
    try draft.deleteSnapshot(position: 0)
    try draft.takeSnapshot(tag: "last", date: .init(seconds: 1, nanoseconds: 0))
    #expect(draft.snapshots.map(\.name) == ["same", "later", "last"])
    #expect(try draft.positions(equalTo: 0) == [0])
    #expect(try draft.positions(equalTo: 2) == [1, 2])
  }
}
