import TestOracles
import Testing

@testable import Qcow2

/// Loads on disks whose backups rely on bitmaps.
@Suite struct LoadWithBitmapsTests {
  /// The bytes that the guest sees.
  private func content(_ image: TestImage) throws -> [UInt8] {
    let raw = image.directory.path("raw")
    try QemuImg.convert(image.path, toRaw: raw)
    let file = try PosixFile(opening: raw, .read)
    return try file.read(byteCount: Int(file.length()), at: 0)
  }

  /// What an incremental backup makes of an older copy.
  private func restore(_ copy: [UInt8], _ current: [UInt8], _ bitmap: BitmapContent) throws
    -> [UInt8]
  {
    var restored = Array(copy.prefix(current.count))
    restored += [UInt8](repeating: 0, count: current.count - restored.count)
    for range in try bitmap.dirtyRanges() {
      let range = Int(range.lowerBound)..<Int(range.upperBound)
      restored.replaceSubrange(range, with: current[range])
    }
    return restored
  }

  private static let options = [
    ["cluster_size=65536"], ["cluster_size=512"], ["extended_l2=on"], ["cluster_size=4096"],
  ]

  @Test(
    "The bitmap's ranges bring an older copy to what the disk is after saves, writes, loads and resizes",
    arguments: 0..<12)
  func property(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let canResize = seed % 2 == 1
    var size = 3 << 20
    let image = try TestImage(size: "\(size)", Self.options[seed / 2 % 4])
    let granularity = [512, 4096, 65536][seed % 3]
    try QemuBitmaps.add("b", to: image.path, granularity: granularity)
    try QemuBitmaps.add("frozen", to: image.path, granularity: 512, isEnabled: false)
    var copy = try content(image)
    var tags: [String] = []
    for step in 0..<14 {
      let story: Comment = "seed \(seed), step \(step)"
      switch Int.random(in: 0..<7, using: &generator) {
      case 0, 1:
        tags.append("t\(step)")
        try image.commit {
          try $0.takeSnapshot(tag: "t\(step)", date: .init(seconds: 1, nanoseconds: 2))
        }
      case 2, 3:
        guard let tag = tags.randomElement(using: &generator) else { continue }
        let disabled = try image.open().bitmapContent(named: "frozen")
        try image.commit { draft in
          let position = try #require(try draft.position(ofTag: tag))
          try draft.load(position: position)
        }
        size = Int(try image.open().virtualSize)
        var expected = disabled
        try expected.resize(to: UInt64(size))
        #expect(try image.open().bitmapContent(named: "frozen") == expected, story)
      case 4 where canResize:
        size = Int.random(in: 1 << 20..<5 << 20, using: &generator) / 512 * 512
        try QemuImg.resize(image.path, to: "\(size)")
      case 5:
        // A backup: the whole copy is new, and the bitmap starts afresh.
        copy = try content(image)
        try image.edit { try $0.clear("b") }
      default:
        var commands: [String] = []
        for _ in 0..<4 {
          let offset = Int.random(in: 0..<size, using: &generator) / 512 * 512
          let length = min(size - offset, 512 * Int.random(in: 1...200, using: &generator))
          let kind = ["write -P \(step + 1)", "write -z", "discard"].randomElement(
            using: &generator)
          commands.append("\(kind ?? "") \(offset) \(length)")
        }
        try QemuIO.run(commands, on: image.path)
      }
      let opened = try image.open()
      let current = try content(image)
      let bits = try opened.bitmapContent(named: "b")
      let isRestored = try restore(copy, current, bits) == current
      #expect(isRestored, story)
      #expect(bits.size == UInt64(size), story)
    }
    try image.expectClean()
    let digests = try QemuBitmaps.digests(image.path)
    for name in ["b", "frozen"] {
      #expect(try image.open().bitmapContent(named: name).sha256() == digests[name])
    }
  }

  @Test("Nothing more is marked than what differs")
  func exact() throws {
    let image = try TestImage(size: "64M", [], ["write -P 1 0 1M"])
    try image.save("a")
    try QemuBitmaps.add("b", to: image.path)
    try image.edit { try $0.add("off", isEnabled: false) }
    try QemuIO.run(["write -P 2 10M 128k"], on: image.path)
    try image.edit { try $0.clear("b") }
    try image.load("a")
    let opened = try image.open()
    let range = UInt64(10 << 20)..<UInt64(10 << 20 + 128 << 10)
    #expect(try opened.bitmapContent(named: "b").dirtyRanges() == [range])
    #expect(try opened.bitmapContent(named: "off").isClean)
  }

  @Test("A load of a larger disk marks the added part, and an inconsistent bitmap stays so")
  func otherSize() throws {
    let image = try TestImage(size: "64M", [], ["write -P 1 0 1M"])
    try image.save("large")
    try QemuImg.resize(image.path, to: "1M")
    try QemuBitmaps.add("b", to: image.path)
    try QemuBitmaps.add("lost", to: image.path)
    let ext = try #require(try image.open().area.bitmapsExtension())
    let second = BitmapDirectoryEntry.byteCount(nameByteCount: 1)
    try image.poke(UInt32(3), at: ext.directoryOffset.bytes + UInt64(second) + 12)
    try image.load("large")
    let opened = try image.open()
    #expect(opened.bitmaps.map(\.state) == [.consistent, .inUse])
    #expect(try opened.bitmapContent(named: "b").dirtyRanges() == [1 << 20..<64 << 20])
    let listed = try QemuBitmaps.list(image.path)
    #expect(listed["b"]?["count"]?.int == 63 << 20)
    #expect(listed["lost"]?["inconsistent"]?.bool == true)
  }

  @Test("Bits that a load needs for another edit of the same change are there")
  func loadThenMerge() throws {
    let image = try TestImage(size: "8M", [], ["write -P 1 0 1M"])
    try image.save("a")
    try QemuIO.run(["write -P 2 4M 64k"], on: image.path)
    try image.edit { try $0.add("b") }
    try image.commit { draft in
      try draft.load(position: 0)
      try draft.bitmaps.add("copy", isEnabled: false)
      try draft.bitmaps.merge(draft.bitmaps.content(of: "b"), into: "copy")
      try draft.bitmaps.clear("b")
    }
    let opened = try image.open()
    #expect(
      try opened.bitmapContent(named: "copy").dirtyRanges() == [4 << 20..<4 << 20 + 64 << 10])
    #expect(try opened.bitmapContent(named: "b").isClean)
  }

  @Test("What a draft writes itself is recorded")
  func ownWrites() throws {
    let image = try TestImage(size: "8M")
    try image.edit { try $0.add("b") }
    try image.commit { try $0.write([1, 2, 3], at: 65536 * 3 + 65534) }
    #expect(
      try image.open().bitmapContent(named: "b").dirtyRanges() == [65536 * 3..<65536 * 5])
  }

  @Test("A load that leaves the disk without a byte is refused: QEMU would not open it again")
  func noBytes() throws {
    let image = try TestImage(size: "0")
    try image.commit {
      try $0.takeSnapshot(tag: "none", date: .init(seconds: 1, nanoseconds: 2))
    }
    try QemuImg.resize(image.path, to: "1M")
    try QemuBitmaps.add("b", to: image.path)
    let error = try #require(throws: Qcow2Error.self) {
      var draft = try image.draft()
      try draft.load(position: 0)
    }
    #expect(error.message.contains("remove bitmap 'b' first"))
    try image.edit { try $0.remove("b") }
    try image.commit { try $0.load(position: 0) }
    try QemuIO.run(["flush"], on: image.path)
  }
}
