import TestOracles
import Testing

@testable import Qcow2

/// A header field with a value that must be refused.
private struct BadField: Sendable, CustomTestStringConvertible {
  let offset: UInt64
  let bytes: [UInt8]
  /// What both QEMU and this engine say; nil where the words differ.
  let text: String?
  let options: [String]

  var testDescription: String { "\(text ?? "refused") at \(offset) \(bytes) \(options)" }

  init<T: FixedWidthInteger & Sendable>(
    _ value: T, at offset: UInt64, _ text: String?, _ options: [String] = []
  ) {
    self.offset = offset
    bytes = (0..<T.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: value >> T(8 * $0)) }
    self.text = text
    self.options = options
  }

  static let all: [BadField] = [
    BadField(UInt32(1), at: 4, nil),
    BadField(UInt32(4), at: 4, "Unsupported qcow2 version 4"),
    BadField(UInt32(8), at: 20, "Unsupported cluster size: 2^8"),
    BadField(UInt32(22), at: 20, "Unsupported cluster size: 2^22"),
    BadField(UInt32.max, at: 20, "Unsupported cluster size: 2^4294967295"),
    BadField(UInt64(65537), at: 8, "Invalid backing file offset"),
    BadField(UInt64.max, at: 8, "Invalid backing file offset"),
    BadField(UInt32(3), at: 32, nil),
    BadField(UInt32(0x7fff_ffff), at: 36, "Active L1 table too large"),
    BadField(UInt32(0), at: 36, "L1 table is too small"),
    BadField(UInt64(0x1234_5678_90ab_cdef), at: 40, "Active L1 table offset invalid"),
    BadField(UInt64(0x7fff_ffff_ffff_fe00), at: 40, "Active L1 table offset invalid"),
    BadField(UInt64(1) << 62, at: 24, nil),
    BadField(UInt64(1) << 42, at: 24, "L1 table is too small"),
    BadField(UInt32(0), at: 56, "Image does not contain a reference count table"),
    BadField(UInt32(129), at: 56, nil),
    BadField(UInt32.max, at: 56, nil),
    BadField(UInt64(0x1234_5678_90ab_cdef), at: 48, "Reference count table offset invalid"),
    BadField(UInt64(0xffff_ffff_ffff_0000), at: 48, "Reference count table offset invalid"),
    BadField(UInt32(65537), at: 60, "Snapshot table too large"),
    BadField(UInt32.max, at: 60, "Snapshot table too large"),
    BadField(UInt64(1) << 63, at: 72, "Unsupported qcow2 feature(s)"),
    BadField(UInt32(7), at: 96, "Reference count entry width too large; may not exceed 64 bits"),
    BadField(UInt32.max, at: 96, "Reference count entry width too large; may not exceed 64 bits"),
    BadField(UInt32(96), at: 100, "qcow2 header too short"),
    BadField(UInt32(65544), at: 100, "qcow2 header exceeds cluster size"),
    BadField(UInt32.max, at: 100, "qcow2 header exceeds cluster size"),
    BadField(UInt8(2), at: 104, nil),
    BadField(UInt8(1), at: 104, nil),
    BadField(UInt32(0x7fff_ffff), at: 116, "Header extension too large"),
    BadField(UInt32.max, at: 116, "Header extension too large"),
    BadField(
      UInt64(16), at: 72, "Unsupported subcluster size: 128", ["cluster_size=4096"]),
  ]
}

@Suite struct HeaderLimitsTests {
  @Test(
    "A field beyond its limit is refused, in QEMU's words where it has some",
    arguments: BadField.all)
  private func refused(_ field: BadField) throws {
    let image = try TestImage(size: "4M", field.options)
    try image.poke(field.bytes, at: field.offset)
    let qemu = try Command.attempt("qemu-img", ["info", "-f", "qcow2", image.path])
    #expect(qemu.status == 1)
    for purpose in [Image.Purpose.peek, .read, .change] {
      let error = try #require(throws: Qcow2Error.self) { _ = try image.open(purpose) }
      #expect(error.path == image.path)
      if let text = field.text {
        #expect(error.message.contains(text))
        #expect(qemu.standardError.contains(text), "\(qemu.standardError)")
      }
    }
  }

  @Test("A snapshot table that is not on a cluster or would be too long is refused")
  func snapshotTable() throws {
    let image = try TestImage(size: "4M")
    try QemuImg.createSnapshot("one", in: image.path)
    let sound = try image.bytes()
    for (value, message) in [
      (UInt64(0x1234_5678_90ab_cdef), "Snapshot table offset invalid"),
      (0xffff_ffff_ffff_0000, "Snapshot table offset invalid"),
      (1 << 40, "the snapshot table lies beyond the end of the file"),
    ] {
      try image.poke(value, at: 64)
      let error = try #require(throws: Qcow2Error.self) { _ = try image.open() }
      #expect(error.message.contains(message))
    }
    try image.poke(sound, at: 0)
    let entry = try image.open().header.snapshotsOffset.bytes
    for (value, offset, message) in [
      (UInt32(0x7fff_ffff), UInt64(8), "Snapshot L1 table too large"),
      (0x1234_5678, 4, "Snapshot L1 table offset invalid"),
      (1025, 36, "Too much extra metadata in snapshot table entry 0"),
    ] {
      try image.poke(value, at: entry + offset)
      let error = try #require(throws: Qcow2Error.self) { _ = try image.open() }
      #expect(error.message.contains(message), "\(error)")
      try image.poke(sound, at: 0)
    }
  }

  @Test("A backing file's name that is too long is refused; its limit is QEMU's")
  func backingFileName() throws {
    let image = try TestImage(size: "4M")
    try image.poke(UInt64(4096), at: 8)
    try image.poke(UInt32(1024), at: 16)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.open() }
    #expect(error.message == "Backing file name too long")
    #expect(error.code == .overLimit)
    try image.poke(UInt32(1023), at: 16)
    #expect(try image.open().area.backingFileName?.count == 1023)
  }

  @Test("A bitmaps extension is refused for QEMU's reasons and in its words")
  func bitmapsExtension() throws {
    let image = try TestImage(size: "4M", ["cluster_size=4096"])
    try Command.run("qemu-img", ["bitmap", "--add", "-f", "qcow2", image.path, "b0"])
    let sound = try image.bytes()
    let position = try #require(
      try image.open().area.ext(HeaderExtension.bitmaps)?.position)
    let data = UInt64(position) + 8
    for (bytes, offset, message) in [
      ([0, 0, 0, 32], data - 4, "bitmaps_ext: Invalid extension length"),
      ([1], data + 4, "bitmaps_ext: Reserved field is not zero"),
      ([0, 0, 0, 0], data, "found bitmaps extension with zero bitmaps"),
      ([0, 1, 0, 0], data, "bitmaps_ext: image has 65536 bitmaps, exceeding"),
      ([1], data + 23, "bitmap directory offset"),
      ([1], data + 8, "bitmaps_ext: "),
      ([0, 0, 0, 2], data, "Less bitmaps found than specified in header extension"),
    ] as [([UInt8], UInt64, String)] {
      try image.poke(bytes, at: offset)
      let error = try #require(throws: Qcow2Error.self) { _ = try image.open() }
      #expect(error.message.contains(message), "\(error)")
      #expect(try Command.attempt("qemu-img", ["info", "-f", "qcow2", image.path]).status == 1)
      try image.poke(sound, at: 0)
    }
    #expect(try image.open().bitmaps.map(\.name) == ["b0"])
    // A program that does not know bitmaps has written: nobody looks at them any more.
    try image.poke(UInt64(0), at: 88)
    #expect(try image.open().bitmaps.filter { !$0.isInconsistent }.isEmpty)
  }

  @Test("A LUKS pointer without LUKS, of another length or unaligned is refused")
  func luksPointer() throws {
    var area = try TestImage(size: "4M").open().area
    let place: [UInt8] = [0, 0, 0, 0, 0, 4, 0, 0]
    func set(_ method: UInt32, _ data: [UInt8]) {
      area.header.cryptMethod = method
      area.extensions = [HeaderExtension(type: HeaderExtension.luksHeader, data: data, position: 0)]
    }
    set(2, place + place)
    #expect(try area.luksHeader()?.offset == HostOffset(0x40000))
    #expect(try area.luksHeader()?.byteCount == 0x40000)
    for (method, data, message) in [
      (0, place + place, "CRYPTO header extension only expected with LUKS encryption method"),
      (2, place, "CRYPTO header extension size 8, but expected size 16"),
      (2, place.dropLast() + [1] + place, "is not a multiple of cluster size '65536'"),
    ] as [(UInt32, [UInt8], String)] {
      set(method, data)
      let error = try #require(throws: Qcow2Error.self) { _ = try area.luksHeader() }
      #expect(error.message.contains(message), "\(error)")
    }
  }

  @Test("A marked-corrupt image is read and checked, but only a repair changes it")
  func markedCorrupt() throws {
    let image = try TestImage(size: "4M")
    try image.poke(UInt64(2), at: 72)
    _ = try image.open(.read)
    #expect(try image.open(.check).check().exitCode == 0)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.open(.change) }
    #expect(error.code == .corrupt)
    #expect(error.advice == .repair)
    _ = try image.open(.repair)
  }

  @Test("An image with an external data file is refused")
  func externalDataFile() throws {
    let image = try TestImage()
    try QemuImg.create(image.path, size: "1M", options: ["data_file=\(image.path).raw"])
    let error = try #require(throws: Qcow2Error.self) { _ = try image.open() }
    #expect(error.code == .unsupported)
  }

  @Test("An unknown incompatible feature is named as the image names it")
  func unknownFeature() throws {
    let image = try TestImage(size: "4M")
    let table = try #require(try image.open().area.ext(HeaderExtension.featureNameTable))
    // The first record: kind, bit, name.
    let name = Array("time travel".utf8)
    try image.poke(
      [0, 40] + name + [UInt8](repeating: 0, count: 46 - name.count),
      at: UInt64(table.position) + 8)
    try image.poke(UInt64(1) << 40 | 1 << 41, at: 72)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.open() }
    #expect(
      error.message
        == "Unsupported qcow2 feature(s): time travel, Unknown incompatible feature: 0x20000000000")
  }
}
