import TestOracles
import Testing

@testable import Qcow2

/// A way to damage the active state of an image of 64 KiB clusters, and the problem that it leads to.
private struct ContentDamage: Sendable, CustomTestStringConvertible {
  let name: String
  /// The guest cluster of the problem.
  let cluster: UInt64
  /// A part of the problem's text.
  let text: String
  let inflict: @Sendable (TestImage, MetadataMap) throws -> Void

  var testDescription: String { name }

  init(
    _ name: String, _ cluster: UInt64, _ text: String,
    inflict: @escaping @Sendable (TestImage, MetadataMap) throws -> Void
  ) {
    self.name = name
    self.cluster = cluster
    self.text = text
    self.inflict = inflict
  }

  /// Lets an entry of the active L2 table point to a cluster.
  static func point(
    _ entry: UInt64, to offset: UInt64, flags: UInt64 = 0
  ) -> @Sendable (TestImage, MetadataMap) throws -> Void {
    { image, map in
      try image.poke(offset | flags, at: map.activeL2s[0].lowerBound + 8 * entry)
    }
  }

  static let all: [ContentDamage] = [
    ContentDamage("a cluster on the refcount table", 1, "lies on the refcount table") {
      try point(1, to: $0.open().header.refcountTableOffset.bytes)($0, $1)
    },
    ContentDamage("a cluster on a refcount block", 1, "lies on a refcount block") {
      try point(1, to: $1.refcountBlocks[0].lowerBound)($0, $1)
    },
    ContentDamage("a cluster on the active L1 table", 1, "lies on the active L1 table") {
      try point(1, to: $1.activeL1.lowerBound)($0, $1)
    },
    ContentDamage("a cluster on its own L2 table", 1, "lies on an L2 table") {
      try point(1, to: $1.activeL2s[0].lowerBound)($0, $1)
    },
    ContentDamage("a cluster on a snapshot's L1 table", 1, "lies on a snapshot's L1 table") {
      try point(1, to: $1.snapshotL1s[0].lowerBound)($0, $1)
    },
    ContentDamage("a cluster on the snapshot table", 1, "lies on the snapshot table") {
      try point(1, to: $1.snapshotTable.lowerBound)($0, $1)
    },
    ContentDamage(
      "a reserved cluster that reads as zeros on the active L1", 1, "the active L1 table"
    ) {
      try point(1, to: $1.activeL1.lowerBound, flags: TableEntry.zero)($0, $1)
    },
    ContentDamage("a cluster beyond the end of the file", 1, "beyond the end of the file") {
      let length = try UInt64($0.length())
      try point(1, to: (length + 65535) / 65536 * 65536)($0, $1)
    },
    ContentDamage("a cluster far beyond the end of the file", 1, "beyond the end of the file") {
      try point(1, to: 0x00ff_ffff_ffff_0000)($0, $1)
    },
    ContentDamage("two guest clusters on one host cluster", 2, "lies on another guest cluster") {
      let first = try $0.number(UInt64.self, at: $1.activeL2s[0].lowerBound + 8)
      try point(2, to: first)($0, $1)
    },
    ContentDamage("a cluster on compressed data", 9, "lies on another guest cluster") {
      let entry = try $0.number(UInt64.self, at: $1.activeL2s[0].lowerBound + 9 * 8)
      try point(1, to: entry & 0x003f_ffff_ffff_0000)($0, $1)
    },
    ContentDamage("compressed data on the header", 1, "compressed data lies on the header") {
      try point(1, to: TableEntry.compressed | 512)($0, $1)
    },
    ContentDamage("compressed data that do not inflate", 9, "cannot be inflated") {
      let entry = try $0.number(UInt64.self, at: $1.activeL2s[0].lowerBound + 9 * 8)
      try $0.poke([UInt8](repeating: 0xff, count: 16), at: entry & 0x003f_ffff_ffff_ffff)
    },
    ContentDamage("an entry with reserved bits", 1, "reserved bits are set") {
      try point(1, to: 0x50000 | 1 << 58)($0, $1)
    },
    ContentDamage("a cluster that is not aligned", 1, "not aligned") {
      try point(1, to: 0x50200)($0, $1)
    },
  ]
}

@Suite struct DamagedContentTests {
  /// An image whose snapshot shares nothing with the active state.
  private func makeImage() throws -> TestImage {
    let image = try TestImage(size: "1M", [], ["write -P 1 0 320k"])
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuIO.run(["write -P 2 0 320k", "write -c -P 3 576k 64k"], on: image.path)
    return image
  }

  @Test("Damage is found with its place, and only where it is", arguments: ContentDamage.all)
  private func damage(damage: ContentDamage) throws {
    let image = try makeImage()
    try damage.inflict(image, MetadataMap(image.open()))
    var verification = try ImageVerification(image.open())
    let report = try verification.readState(snapshot: nil)
    let problem = try #require(
      report.problems.first { $0.text.contains(damage.text) }, "\(report.problems)")
    #expect(problem.range == damage.cluster << 16..<(damage.cluster + 1) << 16)
    #expect(report.digest == nil)
    let snapshot = try verification.readState(snapshot: 0)
    #expect(snapshot.problems == [])
    #expect(try snapshot.digest == QemuImg.contentDigest(image.path, snapshot: "a"))
  }

  @Test("A snapshot's damage leaves the active state sound")
  func damagedSnapshot() throws {
    let image = try makeImage()
    let l1 = try MetadataMap(image.open()).snapshotL1s[0].lowerBound
    let table = try image.number(UInt64.self, at: l1) & TableEntry.offsetMask
    try image.poke(UInt64(0x10000), at: table + 8)
    var verification = try ImageVerification(image.open())
    #expect(try verification.readState(snapshot: nil).digest == QemuImg.contentDigest(image.path))
    let report = try verification.readState(snapshot: 0)
    #expect(report.problems.map(\.range) == [65536..<131072])
  }

  @Test("A table that cannot be read is one problem as long as all that it stands for")
  func missingTable() throws {
    let image = try makeImage()
    let map = try MetadataMap(image.open())
    try image.poke(UInt64(1 << 40), at: map.activeL1.lowerBound)
    var verification = try ImageVerification(image.open())
    #expect(
      verification.structureProblems == [
        "an L2 table at host offset 0x10000000000 reaches beyond the end of the file"
      ])
    let report = try verification.readState(snapshot: nil)
    #expect(report.problems.map(\.range) == [0..<1 << 20])
    #expect(report.problemCount == 1)
    #expect(report.bytesRead == 0)
  }

  @Test("An L1 table that is not valid is one problem of its state")
  func badL1() throws {
    let image = try makeImage()
    try image.poke(UInt64(0x50200), at: MetadataMap(image.open()).activeL1.lowerBound)
    var verification = try ImageVerification(image.open())
    #expect(try verification.readState(snapshot: nil).problems.map(\.range) == [0..<1 << 20])
    #expect(try verification.readState(snapshot: 0).digest != nil)
  }

  @Test("Structures on each other are found")
  func structures() throws {
    let image = try makeImage()
    let map = try MetadataMap(image.open())
    try image.poke(map.refcountBlocks[0].lowerBound, at: map.activeL1.lowerBound)
    #expect(
      try ImageVerification(image.open()).structureProblems == [
        "an L2 table lies on a refcount block at host offset 0x20000"
      ])
  }

  @Test("Of very many problems the first are kept, and all are counted")
  func manyProblems() throws {
    let image = try TestImage(size: "1M", ["cluster_size=512"], ["write -P 1 0 1M"])
    for table in try MetadataMap(image.open()).activeL2s {
      for entry in 0..<64 as Range<UInt64> {
        // Each at a place of its own, so that no two are one problem.
        try image.poke(
          (1 << 40) + table.lowerBound << 9 + entry << 9, at: table.lowerBound + entry * 8)
      }
    }
    var verification = try ImageVerification(image.open())
    let report = try verification.readState(snapshot: nil)
    #expect(report.problemCount == 2048)
    #expect(report.problems.count == 1000)
  }
}
