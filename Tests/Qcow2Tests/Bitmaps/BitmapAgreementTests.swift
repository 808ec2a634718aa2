import TestOracles
import Testing

@testable import Qcow2

/// Bitmaps in images, held against QEMU's.
@Suite struct BitmapAgreementTests {
  /// A disk and the granularity of its bitmap.
  struct Shape: Sendable, CustomTestStringConvertible {
    let size: String
    let granularity: Int
    let clusterSize: Int
    var testDescription: String { "\(size), \(granularity) bytes, clusters of \(clusterSize)" }
  }

  static let shapes = [
    Shape(size: "1G", granularity: 512, clusterSize: 65536),
    Shape(size: "1G", granularity: 65536, clusterSize: 512),
    Shape(size: "1073742336", granularity: 4096, clusterSize: 4096),
    Shape(size: "30G", granularity: 2048, clusterSize: 2 << 20),
    Shape(size: "2T", granularity: 2 << 20, clusterSize: 65536),
    Shape(size: "2T", granularity: 65536, clusterSize: 65536),
    Shape(size: "2T", granularity: 512, clusterSize: 2 << 20),
  ]

  /// Writes of a guest all over the disk.
  private func writes(_ shape: Shape, seed: UInt64) -> [String] {
    var generator = SeededGenerator(seed: seed)
    let size = shape.size.hasSuffix("T") ? 2 << 40 : shape.size.hasSuffix("0G") ? 30 << 30 : 1 << 30
    return (0..<12).map { _ in
      let offset = Int.random(in: 0..<size - (1 << 20), using: &generator) / 512 * 512
      return "write -P 7 \(offset) \(512 * Int.random(in: 1...300, using: &generator))"
    }
  }

  /// Fails the test unless QEMU and this engine find the same bits, and both checks find nothing.
  private func expectAgreement(
    _ image: TestImage, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try image.expectClean(sourceLocation: sourceLocation)
    let opened = try image.open()
    let (listed, digests) = try QemuBitmaps.look(at: image.path)
    #expect(listed.keys.sorted() == opened.bitmaps.map(\.name).sorted())
    for bitmap in opened.bitmaps {
      let content = try opened.bitmapContent(named: bitmap.name)
      #expect(content.sha256() == digests[bitmap.name], sourceLocation: sourceLocation)
      let told = try #require(listed[bitmap.name])
      #expect(
        told["count"]?.int == Int64(content.dirtyByteCount), sourceLocation: sourceLocation)
      #expect(told["granularity"]?.int == Int64(bitmap.granularity))
      #expect(told["recording"]?.bool == bitmap.isEnabled)
    }
    let info = try QemuImg.info(image.path)["format-specific"]?["data"]?["bitmaps"]?.array ?? []
    #expect(
      info.map { $0["flags"] }
        == opened.bitmaps.map { .array($0.isEnabled ? [.string("auto")] : []) })
  }

  @Test(
    "QEMU and this engine find the same bits before and after each operation", arguments: shapes)
  func operations(shape: Shape) throws {
    let image = try TestImage(size: shape.size, ["cluster_size=\(shape.clusterSize)"])
    try QemuBitmaps.add("b0", to: image.path, granularity: shape.granularity)
    try QemuBitmaps.add("other", to: image.path, granularity: shape.granularity * 2)
    try QemuIO.run(writes(shape, seed: 1), on: image.path)
    try expectAgreement(image)

    try image.edit { try $0.setEnabled(false, "other") }
    try QemuIO.run(writes(shape, seed: 2), on: image.path)
    try expectAgreement(image)

    try image.edit {
      try $0.add("b2", granularity: UInt64(shape.granularity * 4), isEnabled: false)
      try $0.merge($0.content(of: "b0"), into: "b2")
      try $0.merge($0.content(of: "b2"), into: "other")
    }
    try expectAgreement(image)

    try image.edit { try $0.clear("b0") }
    try expectAgreement(image)
    #expect(try image.open().bitmapContent(named: "b0").isClean)
    try QemuIO.run(writes(shape, seed: 3), on: image.path)
    try expectAgreement(image)

    try image.edit {
      try $0.remove("b0")
      try $0.setEnabled(true, "b2")
    }
    try expectAgreement(image)
    try image.edit {
      for name in ["other", "b2"] { try $0.remove(name) }
    }
    try expectAgreement(image)
    #expect(try image.open().area.ext(HeaderExtension.bitmaps) == nil)
  }

  @Test("A merge gives the bits that QEMU's merge gives", arguments: [(9, 16), (16, 9), (12, 12)])
  func merge(target: Int, source: Int) throws {
    let image = try TestImage(size: "300M", ["cluster_size=4096"])
    try QemuBitmaps.add("t", to: image.path, granularity: 1 << target)
    try QemuIO.run(["write -P 1 1M 300k", "write -P 1 200M 512"], on: image.path)
    try QemuBitmaps.add("s", to: image.path, granularity: 1 << source)
    try QemuIO.run(["write -P 1 1200k 77k", "write -P 1 314572288 512"], on: image.path)
    let twin = try TestImage()
    try twin.create(image.bytes())
    try QemuBitmaps.run(
      [
        (
          "block-dirty-bitmap-merge",
          "{\"node\": \"disk0\", \"target\": \"t\", \"bitmaps\": [\"s\"]}"
        )
      ], on: twin.path)
    try image.edit { try $0.merge($0.content(of: "s"), into: "t") }
    try expectAgreement(image)
    #expect(try QemuBitmaps.digests(image.path) == QemuBitmaps.digests(twin.path))
  }

  @Test("What QEMU does not write, entries for clusters of set bits, both read alike")
  func allOnes() throws {
    let image = try TestImage(size: "1G", ["cluster_size=512"])
    try image.edit { try $0.add("b0", granularity: 65536) }
    var content = try BitmapContent(size: 1 << 30, granularityBits: 16)
    content.insert(0..<700 << 20)
    try image.edit { try $0.merge(content, into: "b0") }
    let opened = try image.open()
    let table = try BitmapTable(of: opened.bitmapEntries[0], in: opened)
    opened.unlock()
    #expect(table.entries == [.ones, .ones] + [table.entries[2], .zeros])
    try expectAgreement(image)
    try QemuIO.run(["write -P 1 900M 1M"], on: image.path)
    try expectAgreement(image)
  }

  @Test("Enabled bitmaps go on recording in QEMU, disabled ones do not")
  func recording() throws {
    let image = try TestImage(size: "64M")
    try image.edit {
      try $0.add("on")
      try $0.add("off", isEnabled: false)
    }
    #expect(try image.open().bitmaps.map(\.granularity) == [65536, 65536])
    try QemuIO.run(["write -P 1 5M 64k"], on: image.path)
    let opened = try image.open()
    #expect(
      try opened.bitmapContent(named: "on").dirtyRanges() == [5 << 20..<5 << 20 + 65536])
    #expect(try opened.bitmapContent(named: "off").isClean)
    try expectAgreement(image)
  }

  @Test("The default granularity is QEMU's", arguments: [512, 4096, 65536, 2 << 20])
  func defaultGranularity(clusterSize: Int) throws {
    let image = try TestImage(size: "64M", ["cluster_size=\(clusterSize)"])
    try QemuBitmaps.add("qemu", to: image.path)
    try image.edit { try $0.add("own") }
    let granularities = try image.open().bitmaps.map(\.granularity)
    #expect(granularities[0] == granularities[1])
    try expectAgreement(image)
  }
}

extension TestImage {
  /// Changes the bitmaps as a job does.
  func edit(
    sourceLocation: SourceLocation = #_sourceLocation, _ edit: (inout BitmapSet) throws -> Void
  ) throws {
    var draft = try draft()
    try edit(&draft.bitmaps)
    try draft.settle { _ in }
    let prepared = try draft.prepare { _ in }
    try expectCleanWhileHeld(sourceLocation: sourceLocation)
    try prepared.publish()
    try expectCleanWhileHeld(sourceLocation: sourceLocation)
    try prepared.finish()
    try expectCleanWhileHeld(sourceLocation: sourceLocation)
  }
}
