import TestOracles
import Testing

@testable import Qcow2

@Suite struct DamagedImageTests {
  @Test("Damage leads to qemu's findings", arguments: Damage.all)
  func damage(_ damage: Damage) throws {
    let image = try TestImage(size: "64M", [], ["write -P 1 0 1M", "write -P 2 8M 128k"])
    try damage.inflict(image, MetadataMap(image.open()))
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == damage.exitCode)
    let report = try image.open(.check).check()
    #expect(report.messages.contains { $0.hasPrefix(damage.message) }, "\(report.messages)")
    #expect(try QemuImg.check(image.path).text.contains(damage.message))
  }

  @Test("Each way to damage a snapshot's entry leads to qemu's findings", arguments: 0..<7)
  func damagedSnapshotEntry(way: Int) throws {
    let image = try ImageCheckTests.makeImage([])
    let entry = try MetadataMap(image.open()).snapshotTable.lowerBound
    switch way {
    case 0: try image.poke(image.number(UInt64.self, at: entry) + 512, at: entry)
    case 1: try image.poke(UInt32.max, at: entry + 8)
    case 2: try image.poke(UInt64(1) << 40, at: entry)
    case 3: try image.poke(UInt32(8), at: entry + 36)
    case 4: try image.poke(UInt32(2048), at: entry + 36)
    case 5: try image.poke(UInt64(1) << 40, at: 64)
    default: try image.poke(UInt32(65536), at: 60)
    }
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == ([3, 4, 6].contains(way) ? 1 : 2))
  }

  @Test("An image without a refcount table is checked: nothing is counted as used")
  func noRefcountTable() throws {
    let image = try TestImage(size: "1M", [], ["write 0 64k"])
    try image.poke(UInt32(0), at: 56)
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == 2)
    #expect(found.corruptions == 6)
  }

  @Test("An L1 table that only a check lets pass is never read for its content")
  func unreadableSnapshotL1() throws {
    let image = try ImageCheckTests.makeImage([])
    let entry = try MetadataMap(image.open()).snapshotTable.lowerBound
    try image.poke(UInt32.max, at: entry + 8)
    let checked = try image.open(.check)
    #expect(throws: Qcow2Error.self) { try GuestReader(checked, snapshot: 0) }
    #expect(throws: Qcow2Error.self) { try image.open(.read) }
  }

  @Test("A v3 entry with less than 16 bytes of extra data is a corruption, in v2 it is not")
  func incompleteSnapshotEntry() throws {
    for (options, expected) in [([], 2), (["compat=0.10"], 0)] as [([String], Int32)] {
      let image = try TestImage(size: "1M", options)
      try QemuImg.createSnapshot("one", in: image.path)
      let map = try MetadataMap(image.open())
      let entry = try #require(try image.open().table.entries.first)
      // 8 bytes of extra data, then id and name.
      let start = map.snapshotTable.lowerBound
      try image.poke(UInt32(8), at: start + 36)
      try image.poke(entry.id + entry.name, at: start + 48)
      let found = try QemuFindings.expectSame(image.path)
      #expect(found.exitCode == expected)
    }
  }

  @Test("A file cut anywhere leads to qemu's findings", arguments: [["cluster_size=4096"], []])
  func truncated(options: [String]) throws {
    let image = try ImageCheckTests.makeImage(options)
    let whole = try image.bytes()
    for numerator in [99, 90, 70, 50, 20, 5] {
      try image.setLength(Int64(whole.count * numerator / 100))
      try QemuFindings.expectSame(image.path)
      try image.poke(whole, at: 0)
    }
  }

  @Test("Bits flipped anywhere in the metadata lead to qemu's findings", arguments: 0..<4)
  func flippedBits(seed: Int) throws {
    let options = [
      ["cluster_size=4096"], ["cluster_size=512"], ["extended_l2=on", "cluster_size=16k"],
      ["compat=0.10", "cluster_size=1024"],
    ]
    let image = try ImageCheckTests.makeImage(options[seed])
    let before = try image.bytes()
    let metadata = try MetadataMap(image.open()).all
    var generator = SeededGenerator(seed: UInt64(seed))
    for _ in 0..<40 {
      var damaged: [UInt64: UInt8] = [:]
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let range = metadata[Int.random(in: metadata.indices, using: &generator)]
        let offset = UInt64.random(in: range, using: &generator)
        damaged[offset] = before[Int(offset)] ^ (1 << UInt8.random(in: 0..<8, using: &generator))
      }
      for (offset, byte) in damaged { try image.poke([byte], at: offset) }
      let qemu = try QemuFindings(qemu: image.path)
      let ours = try QemuFindings(ours: image.path)
      #expect(ours == qemu, "\(damaged)")
      for offset in damaged.keys { try image.poke([before[Int(offset)]], at: offset) }
    }
  }
}
