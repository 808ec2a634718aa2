import TestOracles
import Testing

@testable import Qcow2

/// Images whose bitmaps are damaged: an error, never a trap, and no memory for what is only claimed.
@Suite struct DamagedBitmapTests {
  private func makeImage() throws -> TestImage {
    let image = try TestImage(size: "8M", ["cluster_size=512"])
    for name in ["b0", "b1"] { try QemuBitmaps.add(name, to: image.path, granularity: 512) }
    try QemuIO.run(["write -P 1 1M 1M", "write -P 2 6M 100k"], on: image.path)
    return image
  }

  /// Does everything that reads bitmaps; throws only the engine's errors.
  private func readAll(_ file: MemoryFile) throws(Qcow2Error) {
    let image = try file.open(.read)
    for bitmap in image.bitmaps { _ = try image.bitmapContent(named: bitmap.name) }
  }

  /// Removes and changes what there is.
  private func changeAll(_ file: MemoryFile) throws {
    var draft = try ImageDraft(file.open(.change))
    guard let name = draft.bitmaps.bitmaps.last?.name else { return }
    try draft.bitmaps.remove(name)
    if let first = draft.bitmaps.bitmaps.first?.name { try draft.bitmaps.repair(first) }
    try draft.settle { _ in }
    let prepared = try draft.prepare { _ in }
    try prepared.publish()
  }

  @Test(
    "Every flipped bit of directory, extension and tables throws or is read", arguments: [0, 1])
  func flips(way: Int) throws {
    let image = try makeImage()
    let sound = try image.bytes()
    let opened = try image.open()
    let ext = try #require(try opened.area.bitmapsExtension())
    let header = try #require(opened.area.ext(HeaderExtension.bitmaps)).position
    let directory = Int(ext.directoryOffset.bytes)
    let tables = opened.bitmapEntries.map { Int($0.tableOffset.bytes) }
    let places =
      Array(header..<header + 32) + Array(directory..<directory + Int(ext.directoryByteCount))
      + tables.flatMap { $0..<$0 + 24 }
    var refused = 0
    for place in places {
      for bit in 0..<8 {
        var bytes = sound
        bytes[place] ^= 1 << UInt8(bit)
        let file = MemoryFile(bytes)
        do {
          if way == 0 { try readAll(file) } else { try changeAll(file) }
        } catch _ as Qcow2Error {
          refused += 1
        }
      }
    }
    #expect(refused > places.count)
  }

  @Test("A file that is cut anywhere throws or is read")
  func truncation() throws {
    let image = try makeImage()
    let sound = try image.bytes()
    var refused = 0
    for length in stride(from: 512, to: sound.count, by: 256) {
      let file = MemoryFile(Array(sound[..<length]))
      do { try readAll(file) } catch { refused += 1 }
      do { try changeAll(file) } catch _ as Qcow2Error { refused += 1 }
    }
    #expect(refused > 0)
  }

  @Test("A claim of many entries in a small file takes no memory")
  func hugeTable() throws {
    let image = try makeImage()
    let ext = try #require(try image.open().area.bitmapsExtension())
    try image.poke(UInt32(0x10_0000), at: ext.directoryOffset.bytes + 8)
    let error = try #require(throws: Qcow2Error.self) {
      _ = try image.open().bitmapContent(named: "b0")
    }
    #expect(error.message.contains("does not fit the disk's size"))
  }

  @Test("A bitmap with extra data, which QEMU does not open either, is not changed")
  func extraData() throws {
    let image = try TestImage(size: "8M")
    try QemuBitmaps.add("a name of 17 byte", to: image.path)
    let ext = try #require(try image.open().area.bitmapsExtension())
    let directory = ext.directoryOffset.bytes
    try image.poke(UInt32(8), at: directory + 20)
    try image.poke(UInt16(9), at: directory + 18)
    for edit in [{ try $0.clear("of 17 byt") }, { try $0.remove("of 17 byt") }]
      as [(inout BitmapSet) throws -> Void]
    {
      #expect(throws: Qcow2Error.self) {
        var draft = try image.draft()
        try edit(&draft.bitmaps)
        try draft.settle { _ in }
      }
    }
  }

  @Test("A table that leads into another structure takes nothing away from it")
  func sharedCluster() throws {
    let image = try makeImage()
    let opened = try image.open()
    let table = opened.bitmapEntries[1].tableOffset.bytes
    for offset in [
      opened.header.l1TableOffset.bytes, opened.header.refcountTableOffset.bytes,
      opened.bitmapEntries[0].tableOffset.bytes,
    ] {
      try image.poke(offset, at: table)
      #expect(throws: Qcow2Error.self) {
        var draft = try image.draft()
        try draft.bitmaps.remove("b1")
        try draft.settle { _ in }
        _ = try draft.prepare { _ in }
      }
    }
  }

  @Test("What nobody knows of a bitmap is not lost by a change of another one")
  func unknownFlags() throws {
    let image = try makeImage()
    let ext = try #require(try image.open().area.bitmapsExtension())
    // Extra data compatible, and enabled.
    try image.poke(UInt32(6), at: ext.directoryOffset.bytes + 12)
    let before = try image.bytes()
    let error = try #require(throws: Qcow2Error.self) {
      try image.edit { try $0.setEnabled(false, "b1") }
    }
    #expect(error.message.hasPrefix("Bitmap 'b0' doesn't satisfy the constraints"))
    #expect(try image.bytes() == before)
  }
}
