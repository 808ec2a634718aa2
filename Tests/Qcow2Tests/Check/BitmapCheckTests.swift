import TestOracles
import Testing

@testable import Qcow2

@Suite struct BitmapCheckTests {
  /// An image with two bitmaps, which have data.
  private func makeImage() throws -> TestImage {
    let image = try TestImage(size: "64M", ["cluster_size=4096"])
    for arguments in [["b0"], ["-g", "512", "second one"]] {
      let options = arguments.count > 1 ? Array(arguments.prefix(2)) : []
      try Command.run(
        "qemu-img",
        ["bitmap", "--add", "-f", "qcow2"] + options + [image.path, arguments[arguments.count - 1]])
    }
    try QemuIO.run(["write -P 1 1M 1M", "write -P 2 60M 100k"], on: image.path)
    return image
  }

  private func place(of image: TestImage) throws -> (directory: UInt64, table: UInt64) {
    let opened = try image.open()
    let ext = try #require(try opened.area.bitmapsExtension())
    let table = try #require(opened.bitmapEntries.last).tableOffset.bytes
    return (ext.directoryOffset.bytes, table)
  }

  @Test("Directory, tables and data of bitmaps are counted")
  func clean() throws {
    let image = try makeImage()
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == 0)
    let table = try place(of: image).table
    let entries = try (0..<4).map { try image.number(UInt64.self, at: table + 8 * $0) }
    #expect(entries.contains { $0 != 0 })
  }

  @Test("Where another program has written, bitmaps count for nothing and are leaks")
  func outdated() throws {
    let image = try makeImage()
    try image.poke(UInt64(0), at: 88)
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == 3)
    #expect(found.leaks > 3)
  }

  @Test("A bitmap whose clusters are counted too low is a corruption")
  func countedTooLow() throws {
    let image = try makeImage()
    let table = try place(of: image).table
    try image.poke(UInt16(0), at: MetadataMap(image.open()).refcount(of: Int(table / 4096)))
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == 2)
    #expect(found.corruptions == 1)
  }

  @Test("A bitmap that breaks the rules keeps the image from being checked", arguments: 0..<9)
  func broken(way: Int) throws {
    let image = try makeImage()
    let (directory, table) = try place(of: image)
    switch way {
    case 0: try image.poke(UInt32(4), at: directory + 12)
    case 1: try image.poke(UInt8(8), at: directory + 17)
    case 2: try image.poke(UInt8(32), at: directory + 17)
    case 3: try image.poke(UInt8(2), at: directory + 16)
    case 4: try image.poke(UInt32(0x800_0001), at: directory + 8)
    case 5: try image.poke(UInt16(2000), at: directory + 18)
    case 6: try image.poke(UInt64(512), at: directory)
    case 7: try image.poke(UInt64(0x40_0000) | 1, at: table)
    default: try image.poke(UInt64(512), at: table)
    }
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == 1)
  }
}
