import TestOracles
import Testing

@testable import DeviceState

@Suite struct DamagedStreamTests {
  /// Reads a stream to its end and writes it back.
  ///
  /// - Returns: where each part begins, and what was written.
  private func read(
    _ bytes: [UInt8], isSeekable: Bool
  ) throws(StreamError) -> (boundaries: [UInt64], copy: [UInt8]) {
    let collected = CollectedBytes()
    var boundaries: [UInt64] = []
    var reader = try StreamReader(BytesSource(bytes, isSeekable: isSeekable), capacity: 4096)
    let writer = StreamWriter(to: collected.output)
    try writer.begin()
    while let part = try reader.next() {
      boundaries.append(reader.partOffset)
      try writer.copy(part, from: &reader)
    }
    try writer.finish()
    return (boundaries, collected.bytes)
  }

  /// Every place of a small stream, and a sample of a large one.
  private func places(_ count: Int, sample: Int) -> [Int] {
    guard count > 8192 else { return Array(0..<count) }
    var generator = SeededGenerator(seed: 7)
    return (0..<sample).map { _ in Int.random(in: 0..<count, using: &generator) }
  }

  @Test(arguments: GoldenStream.allCases)
  func `A stream that is cut off anywhere is refused with the place`(
    golden: GoldenStream
  ) throws {
    let bytes = try golden.bytes
    // Without its description a stream is whole all the same.
    let end = try StreamSummary(reading: BytesSource(bytes))
    let withoutDescription = bytes.count - Int(end.descriptionByteCount)
    for count in places(bytes.count, sample: 300) where count != withoutDescription {
      let cut = BytesSource(Array(bytes[..<count]), isSeekable: count.isMultiple(of: 2))
      let error = #expect(throws: StreamError.self, "cut at \(count)") {
        try StreamSummary(reading: cut)
      }
      guard let error else { continue }
      let isPlaced = error.offset.map { $0 <= UInt64(count) } ?? (count < 4)
      #expect(isPlaced, "cut at \(count): \(error)")
    }
  }

  @Test(arguments: GoldenStream.allCases)
  func `A stream with a flipped byte is refused, or read with the same layout`(
    golden: GoldenStream
  ) throws {
    let bytes = try golden.bytes
    let boundaries = try read(bytes, isSeekable: true).boundaries
    for place in places(bytes.count, sample: 300) {
      var damaged = bytes
      damaged[place] ^= [0x01, 0x80, 0xFF][place % 3]
      for isSeekable in [true, false] {
        do throws(StreamError) {
          let found = try read(damaged, isSeekable: isSeekable)
          #expect(found.copy == damaged, "byte \(place): written back differently")
          #expect(found.boundaries == boundaries, "byte \(place): other sections")
        } catch {
          let isPlaced = error.offset.map { $0 <= UInt64(bytes.count) } ?? (place < 4)
          #expect(isPlaced, "byte \(place): \(error)")
        }
      }
    }
  }

  @Test(arguments: GoldenStream.allCases)
  func `Bytes behind the end are refused`(golden: GoldenStream) throws {
    let bytes = try golden.bytes
    for more in [[0x00], [0x06], [0x20]] as [[UInt8]] {
      for isSeekable in [true, false] {
        let error = #expect(throws: StreamError.self) {
          try StreamSummary(reading: BytesSource(bytes + more, isSeekable: isSeekable))
        }
        #expect(error?.offset ?? 0 >= UInt64(bytes.count) - 1 || error?.section != nil)
      }
    }
  }
}
