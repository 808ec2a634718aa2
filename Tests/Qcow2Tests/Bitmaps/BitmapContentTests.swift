import TestOracles
import Testing

@testable import Qcow2

/// The bits of a bitmap in memory, against a list of booleans.
@Suite struct BitmapContentTests {
  /// The same bits, one boolean each.
  private struct Model {
    var size: UInt64
    let granularityBits: Int
    var bits: [Bool]

    init(size: UInt64, granularityBits: Int) {
      self.size = size
      self.granularityBits = granularityBits
      bits = [Bool](repeating: false, count: Self.count(size, granularityBits))
    }

    static func count(_ size: UInt64, _ granularityBits: Int) -> Int {
      Int((size + (1 << UInt64(granularityBits)) - 1) >> UInt64(granularityBits))
    }

    mutating func insert(_ range: Range<UInt64>) {
      for bit in bits.indices {
        let start = UInt64(bit) << UInt64(granularityBits)
        let end = min(size, start + 1 << UInt64(granularityBits))
        if start < range.upperBound, range.lowerBound < end, !range.isEmpty { bits[bit] = true }
      }
    }

    mutating func resize(to newSize: UInt64) {
      size = newSize
      let count = Self.count(newSize, granularityBits)
      bits = Array(bits.prefix(count)) + [Bool](repeating: false, count: max(0, count - bits.count))
    }

    var ranges: [Range<UInt64>] {
      var ranges: [Range<UInt64>] = []
      for bit in bits.indices where bits[bit] {
        let start = UInt64(bit) << UInt64(granularityBits)
        let end = min(size, (UInt64(bit) + 1) << UInt64(granularityBits))
        if let last = ranges.last, last.upperBound == start {
          ranges[ranges.count - 1] = last.lowerBound..<end
        } else {
          ranges.append(start..<end)
        }
      }
      return ranges
    }

    var bytes: [UInt8] {
      var bytes = [UInt8](repeating: 0, count: (bits.count + 63) / 64 * 8)
      for bit in bits.indices where bits[bit] { bytes[bit / 8] |= 1 << UInt8(bit % 8) }
      return bytes
    }
  }

  private func expectSame(_ content: BitmapContent, _ model: Model, _ story: Comment) throws {
    #expect(content.size == model.size, story)
    #expect(content.bitCount == UInt64(model.bits.count), story)
    #expect(try content.dirtyRanges() == model.ranges, story)
    #expect(content.dirtyBitCount == UInt64(model.bits.count { $0 }), story)
    #expect(content.isClean == !model.bits.contains(true), story)
    let bytes = content.serialised(0..<Int(content.byteCount))
    #expect(bytes == model.bytes, story)
    var copy = try BitmapContent(size: model.size, granularityBits: model.granularityBits)
    for start in stride(from: 0, to: bytes.count, by: 1000) {
      try copy.replace(Array(bytes[start..<min(start + 1000, bytes.count)]), at: start)
    }
    #expect(copy == content, story)
  }

  @Test("Ranges, unions and sizes do to the bits what they do to a list", arguments: 0..<12)
  func random(seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let granularityBits = 9 + seed % 3
    // A few pages of 4 KiB, and a last bit that stands for less.
    var size = UInt64.random(in: 1...80_000, using: &generator) << UInt64(granularityBits) - 17
    var content = try BitmapContent(size: size, granularityBits: granularityBits)
    var model = Model(size: size, granularityBits: granularityBits)
    for step in 0..<20 {
      switch Int.random(in: 0..<6, using: &generator) {
      case 0:
        size = UInt64.random(in: 1...80_000, using: &generator) << UInt64(granularityBits)
        try content.resize(to: size)
        model.resize(to: size)
      case 1:
        let otherBits = 9 + Int.random(in: 0..<5, using: &generator)
        var other = try BitmapContent(size: size, granularityBits: otherBits)
        for _ in 0..<5 {
          let start = UInt64.random(in: 0..<size, using: &generator)
          other.insert(start..<start + UInt64.random(in: 1...100_000, using: &generator))
        }
        content.formUnion(other)
        for range in try other.dirtyRanges() { model.insert(range) }
      case 2 where step % 3 == 0:
        content.insertAll()
        model.insert(0..<size)
      case 3 where step % 3 == 0:
        content.removeAll()
        model.bits = model.bits.map { _ in false }
      default:
        let start = UInt64.random(in: 0..<size, using: &generator)
        let length = UInt64.random(in: 0...size / 2, using: &generator)
        content.insert(start..<start + length)
        model.insert(start..<start + length)
      }
      try expectSame(content, model, "seed \(seed), step \(step)")
    }
  }

  @Test("The largest bitmap that QEMU keeps is made, and the next size refused")
  func limits() throws {
    var content = try BitmapContent(size: 2 << 40, granularityBits: 9)
    #expect(content.byteCount == 512 << 20)
    content.insertAll()
    #expect(try content.dirtyRanges() == [0..<2 << 40])
    #expect(content.dirtyByteCount == 2 << 40)
    #expect(content.memoryByteCount < 16 << 20)
    let error = try #require(throws: Qcow2Error.self) {
      try content.resize(to: 2 << 40 + 1 << 20)
    }
    #expect(
      error.message == "Too much space will be occupied by the bitmap. Use larger granularity")
    #expect(content.size == 2 << 40)
    #expect(throws: Qcow2Error.self) { try BitmapContent(size: 1 << 30, granularityBits: 8) }
    #expect(throws: Qcow2Error.self) { try BitmapContent(size: 1 << 30, granularityBits: 32) }
    #expect(throws: Qcow2Error.self) { try BitmapContent(size: .max, granularityBits: 31) }
    #expect(try BitmapContent(size: 1 << 63 - 1, granularityBits: 31).bitCount == 1 << 32)
  }

  @Test("Bits that do not belong to the disk are left out, and too many are refused")
  func foreignBits() throws {
    var content = try BitmapContent(size: 70 * 512, granularityBits: 9)
    try content.replace([UInt8](repeating: 0xff, count: 16), at: 0)
    #expect(content.dirtyBitCount == 70)
    #expect(throws: Qcow2Error.self) { try content.replace([0, 0, 0, 0, 0, 0, 0, 0], at: 16) }
    #expect(throws: Qcow2Error.self) { try content.replace([0], at: 0) }
    #expect(throws: Qcow2Error.self) { try content.replace([], at: -8) }
    #expect(content.contains(69 * 512))
    #expect(!content.contains(70 * 512))
  }

  @Test("The digest of a clean bitmap is that of its zeros")
  func digest() throws {
    let content = try BitmapContent(size: 1 << 30, granularityBits: 16)
    let directory = try TemporaryDirectory()
    let path = directory.path("zeros")
    try PosixFile(creating: path).setLength(2048)
    #expect(try content.sha256() == Command.sha256(ofFile: path))
  }
}
