import TestOracles
import Testing

@testable import Qcow2

/// A way to change a sound image so that QEMU does not open it.
private struct Mutation: Sendable, CustomTestStringConvertible {
  let name: String
  /// Whether a short look at the image sees it as well.
  var isSeenByPeek = true
  let apply: @Sendable (TestImage, Places) throws -> Void

  var testDescription: String { name }

  init(_ name: String, apply: @escaping @Sendable (TestImage, Places) throws -> Void) {
    self.name = name
    self.apply = apply
  }

  /// A number put somewhere.
  static func put<T: FixedWidthInteger & Sendable>(
    _ name: String, _ value: T, at place: @escaping @Sendable (Places) -> UInt64
  ) -> Mutation {
    Mutation(name) { try $0.poke(value, at: place($1)) }
  }

  /// A number put into the header.
  static func header<T: FixedWidthInteger & Sendable>(
    _ name: String, _ value: T, at offset: UInt64
  ) -> Mutation { put(name, value) { _ in offset } }

  /// One that only reading the bitmaps' tables shows.
  var behindPeek: Mutation {
    var mutation = self
    mutation.isSeenByPeek = false
    return mutation
  }

  /// Where things lie in an image.
  struct Places: Sendable {
    /// The bitmaps extension.
    let ext: UInt64
    /// The bitmap directory; its second entry is 32 bytes further on.
    let directory: UInt64
    /// The first bitmap's table.
    let table: UInt64

    init(_ image: Image) throws {
      ext = UInt64(try #require(image.area.ext(HeaderExtension.bitmaps)).position)
      directory = try #require(try image.area.bitmapsExtension()).directoryOffset.bytes
      table = image.bitmapEntries[0].tableOffset.bytes
    }
  }

  static let headers: [Mutation] = [
    header("another magic", UInt32(0), at: 0),
    header("version 1", UInt32(1), at: 4), header("version 4", UInt32(4), at: 4),
    header("a backing file's name in another cluster", UInt64(4097), at: 8),
    Mutation("a backing file's name that is too long") { image, _ in
      try image.poke(UInt64(2048), at: 8)
      try image.poke(UInt32(1024), at: 16)
    },
    header("clusters of 256 bytes", UInt32(8), at: 20),
    header("clusters of 4 MiB", UInt32(22), at: 20),
    header("a disk that the L1 table does not cover", UInt64(1) << 40, at: 24),
    header("an encryption nobody knows", UInt32(3), at: 32),
    header("LUKS without its header", UInt32(2), at: 32),
    header("an L1 table without entries", UInt32(0), at: 36),
    header("an L1 table that is too large", UInt32(0x7fff_ffff), at: 36),
    header("an L1 table off its cluster", UInt64(512), at: 40),
    header("an L1 table behind all offsets", UInt64(1) << 63, at: 40),
    header("a refcount table off its cluster", UInt64(512), at: 48),
    header("a refcount table that is too large", UInt32(4096), at: 56),
    header("too many snapshots", UInt32(65537), at: 60),
    header("a snapshot table off its cluster", UInt64(512), at: 64),
    header("a snapshot table behind all offsets", UInt64(0xffff_ffff_ffff_f000), at: 64),
    header("an incompatible feature nobody knows", UInt64(1) << 40, at: 72),
    header("subclusters that are too small", UInt64(16), at: 72),
    header("compression of a kind that the features deny", UInt8(1), at: 104),
    header("compression nobody knows", UInt8(2), at: 104),
    header("zstd without its type", UInt64(8), at: 72),
    header("data-file-raw without a data file", UInt64(3), at: 88),
    header("refcounts of 128 bits", UInt32(7), at: 96),
    header("a header that is too short", UInt32(96), at: 100),
    header("a header longer than its cluster", UInt32(4104), at: 100),
    Mutation("an empty snapshot table off its cluster") { image, _ in
      try image.poke(UInt32(0), at: 60)
      try image.poke(UInt64(512), at: 64)
    },
    Mutation("half a header extension before the backing file's name") { image, _ in
      try image.poke(UInt64(116), at: 8)
      try image.poke(UInt32(0), at: 16)
    },
  ]

  static let extensions: [Mutation] = [
    put("an extension that is too long", UInt32(5000)) { $0.ext + 4 },
    Mutation("an end marker that is too long") { image, places in
      try image.poke(UInt32(0), at: places.ext)
      try image.poke(UInt32(5000), at: places.ext + 4)
    },
    Mutation("a backing format of 16 bytes") { image, places in
      try image.poke(HeaderExtension.backingFormat, at: places.ext)
      try image.poke(UInt32(16), at: places.ext + 4)
    },
    put("a LUKS pointer without LUKS", HeaderExtension.luksHeader) { $0.ext },
    put("a bitmaps extension of another length", UInt32(16)) { $0.ext + 4 },
    Mutation("an outdated bitmaps extension of another length") { image, places in
      try image.poke(UInt64(0), at: 88)
      try image.poke(UInt32(16), at: places.ext + 4)
    },
    put("no bitmaps in the extension", UInt32(0)) { $0.ext + 8 },
    put("too many bitmaps in the extension", UInt32(65536)) { $0.ext + 8 },
    put("fewer bitmaps in the directory", UInt32(3)) { $0.ext + 8 },
    put("more bitmaps in the directory", UInt32(1)) { $0.ext + 8 },
    put("a reserved field of the bitmaps extension", UInt32(1)) { $0.ext + 12 },
    put("a bitmap directory without bytes", UInt64(0)) { $0.ext + 16 },
    put("a bitmap directory that is too large", UInt64(1) << 40) { $0.ext + 16 },
    put("a bitmap directory that ends inside an entry", UInt64(40)) { $0.ext + 16 },
    put("a bitmap directory off its cluster", UInt64(512)) { $0.ext + 24 },
  ]

  static let bitmaps: [Mutation] = [
    put("a bitmap without a table", UInt64(0)) { $0.directory },
    put("a bitmap table off its cluster", UInt64(512)) { $0.directory },
    put("a bitmap table without entries", UInt32(0)) { $0.directory + 8 },
    put("a bitmap table with an entry too much", UInt32(2)) { $0.directory + 8 },
    put("a bitmap table that is too large", UInt32(0x800_0001)) { $0.directory + 8 },
    put("a bitmap table of more than 512 MiB of bits", UInt32(0x10_0000)) { $0.directory + 8 },
    put("a bitmap with flags nobody knows", UInt32(4)) { $0.directory + 12 },
    put("something that is no dirty bitmap", UInt8(2)) { $0.directory + 16 },
    put("a bit for 256 bytes", UInt8(8)) { $0.directory + 17 },
    put("a bit for 4 GiB", UInt8(32)) { $0.directory + 17 },
    put("bits that do not cover the disk", UInt8(9)) { $0.directory + 17 },
    put("a bitmap's name that is too long", UInt16(2000)) { $0.directory + 18 },
    put("a bitmap with extra data", UInt32(8)) { $0.directory + 20 },
    put("two bitmaps of one name", UInt8(ascii: "0")) { $0.directory + 32 + 25 },
    put("a bitmap table's entry with reserved bits", UInt64(1) << 60) { $0.table }.behindPeek,
    put("a bitmap table's entry off its cluster", UInt64(512)) { $0.table }.behindPeek,
    put("a bitmap table's entry of both kinds", UInt64(0x4000 | 1)) { $0.table }.behindPeek,
  ]
}

@Suite struct OpenRefusalTests {
  /// A sound image with a snapshot and two bitmaps.
  private func makeImage(size: String = "64M") throws -> TestImage {
    let image = try TestImage(size: size, ["cluster_size=4096"])
    for name in ["b0", "b1"] { try QemuBitmaps.add(name, to: image.path, granularity: 65536) }
    try QemuIO.run(["write -P 1 0 64k"], on: image.path)
    try QemuImg.createSnapshot("a", in: image.path)
    return image
  }

  @Test(
    "What QEMU does not open is checked with its code, and neither read nor changed",
    arguments: Mutation.headers + Mutation.extensions + Mutation.bitmaps)
  private func refused(_ mutation: Mutation) throws {
    let image = try makeImage()
    try image.expectClean()
    try mutation.apply(image, Mutation.Places(image.open()))
    let before = try image.bytes()
    #expect(try QemuImg.check(image.path).status == 1)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.open(.check).check() }
    #expect(CheckReport.exitCode(for: error) == (mutation.name == "another magic" ? 63 : 1))
    for purpose in [Image.Purpose.read, .change, .repair] {
      #expect(throws: Qcow2Error.self) { _ = try image.open(purpose) }
    }
    if mutation.isSeenByPeek { #expect(throws: Qcow2Error.self) { _ = try image.open(.peek) } }
    #expect(try image.bytes() == before)
  }

  @Test("A bitmap in use may have any table, and share its name with one before it, as for QEMU")
  func inUse() throws {
    let image = try makeImage()
    let places = try Mutation.Places(image.open())
    try image.poke(UInt32(1), at: places.directory + 32 + 12)
    try image.poke(UInt32(2), at: places.directory + 32 + 8)
    try image.poke(UInt8(ascii: "0"), at: places.directory + 32 + 25)
    #expect(try QemuFindings.expectSame(image.path).exitCode == 0)
    try image.commit { try $0.takeSnapshot(tag: "b", date: .init(seconds: 0, nanoseconds: 0)) }
  }

  @Test("Bitmaps that share a table are found, and nothing is changed")
  func sharedTables() throws {
    let image = try makeImage()
    let places = try Mutation.Places(image.open())
    try image.poke(places.table, at: places.directory + 32)
    #expect(try QemuFindings.expectSame(image.path).exitCode == 2)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.draft() }
    #expect(error.message.contains("a bitmap's table lies on another one"))
  }
}
