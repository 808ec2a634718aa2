import TestOracles
import Testing

@testable import Qcow2

@Suite struct TableGrowthTests {
  @Test("A snapshot of another disk size is loaded with its size", arguments: ["512", "65536"])
  func otherDiskSizes(clusterSize: String) throws {
    let image = try TestImage(
      size: "2M", ["cluster_size=\(clusterSize)"], ["write -P 1 0 600k", "write -P 2 1M 1M"])
    let small = try QemuImg.contentDigest(image.path)
    try image.save("small")
    try QemuImg.resize(image.path, to: "3M")
    try QemuIO.run(["write -P 3 2M 1M"], on: image.path)
    let large = try QemuImg.contentDigest(image.path)
    try image.save("large")
    try QemuImg.resize(image.path, to: "700k")
    let tiny = try QemuImg.contentDigest(image.path)
    try image.save("tiny")
    #expect(try image.open().snapshots.map(\.diskSize) == [2 << 20, 3 << 20, 700 << 10])
    for (tag, size, digest) in [
      ("large", 3 << 20, large), ("small", 2 << 20, small), ("tiny", 700 << 10, tiny),
      ("large", 3 << 20, large),
    ] {
      try image.load(tag)
      #expect(try image.open().virtualSize == size)
      #expect(try QemuImg.info(image.path)["virtual-size"]?.int == Int64(size))
      #expect(try QemuImg.contentDigest(image.path) == digest)
      #expect(try image.digest() == digest)
    }
    try QemuIO.run(["write -P 4 1500k 1M"], on: image.path)
    try image.expectClean()
    for tag in ["small", "large", "tiny"] { try image.delete(tag) }
  }

  @Test("A disk without any size is saved, loaded and deleted", arguments: ["0.10", "1.1"])
  func emptyDisk(compat: String) throws {
    let image = try TestImage(size: "0", ["compat=\(compat)"])
    try image.save("nothing")
    if compat == "1.1" {
      try QemuImg.resize(image.path, to: "1M")
      try QemuIO.run(["write -P 1 0 1M"], on: image.path)
    }
    try image.load("nothing")
    #expect(try image.open().virtualSize == 0)
    try QemuImg.applySnapshot("nothing", in: image.path)
    try image.delete("nothing")
  }

  @Test("A version 2 entry without a disk size gets one before the size changes")
  func missingDiskSize() throws {
    let image = try TestImage(size: "1M", ["compat=0.10"], ["write -P 1 0 1M"])
    try QemuImg.createSnapshot("old", in: image.path)
    let entry = try #require(try image.open().table.entries.first)
    let place = try image.open().header.snapshotsOffset.bytes
    try image.poke(UInt32(0), at: place + 36)
    try image.poke(entry.id + entry.name, at: place + 40)
    #expect(try image.open().table.entries[0].diskSize == nil)
    try image.save("new")
    #expect(try image.open().table.entries.map(\.diskSize) == [1 << 20, 1 << 20])
  }

  @Test("The refcount table grows when the file does")
  func refcountTableGrowth() throws {
    // With 512-byte clusters and 64-bit refcounts a table's cluster describes 2 MiB.
    let image = try TestImage(
      size: "8M", ["cluster_size=512", "refcount_bits=64"], ["write -P 1 0 1900k"])
    let before = try image.open().header
    var tags: [String] = []
    while try image.open().header.refcountTableClusters == before.refcountTableClusters {
      tags.append("t\(tags.count)")
      try image.save(tags[tags.count - 1])
      try QemuIO.run(["write -P \(tags.count) 0 200k"], on: image.path)
      try #require(tags.count < 20)
    }
    let grown = try image.open().header
    #expect(grown.refcountTableClusters > before.refcountTableClusters)
    #expect(grown.refcountTableOffset != before.refcountTableOffset)
    try QemuIO.run(["write -P 99 2M 1M"], on: image.path)
    try image.expectClean()
    try image.load(tags[0])
    for tag in tags { try image.delete(tag) }
  }

  @Test("A guest's data that need many new refcount blocks and L2 tables are written")
  func manyNewTables() throws {
    let image = try TestImage(size: "8M", ["cluster_size=512", "refcount_bits=64"])
    var generator = SeededGenerator(seed: 1)
    let data = generator.bytes(3 << 20)
    try image.commit { try $0.write(data, at: 1 << 20) }
    let raw = try TestImage(name: "raw")
    try PosixFile(creating: raw.path).write(data, at: 1 << 20)
    try PosixFile(opening: raw.path, .readWrite).setLength(8 << 20)
    #expect(try QemuImg.contentDigest(image.path) == Command.sha256(ofFile: raw.path))
    #expect(try image.open().header.refcountTableClusters > 1)
  }

  @Test("L1 tables of several clusters are copied whole")
  func longL1() throws {
    let image = try TestImage(size: "40M", ["cluster_size=512"])
    #expect(try image.open().header.l1Size == 1280)
    try QemuIO.run(
      (0..<20).map { "write -P \($0 + 1) \($0 * 2)M 4k" } + ["write -P 77 39M 1M"], on: image.path)
    let first = try QemuImg.contentDigest(image.path)
    try image.save("a")
    try QemuIO.run(["write -P 88 5M 3M", "write -P 89 39M 4k"], on: image.path)
    let second = try QemuImg.contentDigest(image.path)
    try image.save("b")
    try image.load("a")
    #expect(try QemuImg.contentDigest(image.path) == first)
    #expect(try QemuImg.contentDigest(image.path, snapshot: "b") == second)
    try image.delete("a")
    try image.delete("b")
    #expect(try QemuImg.contentDigest(image.path) == first)
  }
}
