import TestOracles
import Testing

@testable import Qcow2

@Suite struct RefcountBlockCodingTests {
  @Test("Counts of every width are decoded as they were encoded", arguments: 0...6)
  func roundTrip(order: Int) throws {
    var generator = SeededGenerator(seed: UInt64(order))
    let maximum = order >= 5 ? Limits.refcount : UInt32((UInt64(1) << (1 << order)) - 1)
    let count = (512 * 8) >> order
    let counts = (0..<count).map { _ in UInt32.random(in: 0...maximum, using: &generator) }
    let bytes = RefcountBlockCoding.encode(counts, order: order)
    #expect(bytes.count == 512)
    #expect(try RefcountBlockCoding.decode(bytes[...], order: order) == counts)
    // A slice that does not begin at 0, and single counts.
    #expect(try RefcountBlockCoding.decode(([9, 9] + bytes)[2...], order: order) == counts)
    for index in counts.indices {
      #expect(
        RefcountBlockCoding.count(at: index, in: bytes, order: order) == UInt64(counts[index]))
    }
  }

  @Test("Narrow counts begin at the least significant bit; wide ones are big-endian")
  func layout() {
    #expect(RefcountBlockCoding.encode([1, 0, 0, 0, 0, 0, 0, 1], order: 0) == [0x81])
    #expect(RefcountBlockCoding.encode([1, 2, 3, 0], order: 1) == [0b00_11_10_01])
    #expect(RefcountBlockCoding.encode([0xa, 0x5], order: 2) == [0x5a])
    #expect(RefcountBlockCoding.encode([0x1234], order: 4) == [0x12, 0x34])
    #expect(RefcountBlockCoding.encode([0x1234_5678], order: 5) == [0x12, 0x34, 0x56, 0x78])
    #expect(RefcountBlockCoding.encode([1], order: 6) == [0, 0, 0, 0, 0, 0, 0, 1])
  }

  @Test("A count that no image can reach throws", arguments: [5, 6])
  func absurdCount(order: Int) {
    let bytes = [UInt8](repeating: 0x80, count: 8)
    #expect(throws: Qcow2Error.self) { try RefcountBlockCoding.decode(bytes[...], order: order) }
  }
}
