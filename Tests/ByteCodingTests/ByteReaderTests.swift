import ByteCoding
import Testing

@Suite("ByteReader and ByteWriter") struct ByteReaderTests {
  @Test("what is written is read back")
  func roundTrip() throws {
    var writer = ByteWriter()
    writer.append(UInt8(1))
    writer.append(UInt16(0x0203))
    writer.append(UInt32(0x0405_0607))
    writer.append(UInt64(0x0809_0a0b_0c0d_0e0f))
    writer.append([16, 17])
    #expect(writer.bytes == Array(1...17))
    var reader = ByteReader(writer.bytes)
    #expect(try reader.read(UInt8.self) == 1)
    #expect(try reader.read(UInt16.self) == 0x0203)
    #expect(try reader.read(UInt32.self) == 0x0405_0607)
    #expect(try reader.read(UInt64.self) == 0x0809_0a0b_0c0d_0e0f)
    #expect(try reader.read(byteCount: 2) == [16, 17])
    #expect(reader.remaining == 0)
  }

  @Test("a read past the end throws and stays where it was", arguments: 0..<8)
  func pastTheEnd(length: Int) throws {
    var reader = ByteReader([UInt8](repeating: 7, count: length))
    #expect(throws: ByteCodingError(position: 0, wanted: 8, available: length)) {
      try reader.read(UInt64.self)
    }
    #expect(throws: (any Error).self) { try reader.read(byteCount: length + 1) }
    #expect(throws: (any Error).self) { try reader.read(byteCount: -1) }
    #expect(throws: (any Error).self) { try reader.skip(byteCount: length + 1) }
    #expect(reader.position == 0)
    try reader.skip(byteCount: length)
    #expect(reader.remaining == 0)
  }

  @Test("padding reaches the next multiple and no further")
  func padding() {
    var writer = ByteWriter()
    writer.pad(toMultipleOf: 8)
    #expect(writer.bytes.isEmpty)
    writer.append(UInt8(1))
    writer.pad(toMultipleOf: 8)
    #expect(writer.bytes == [1, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test("words swap to the machine's order and back")
  func words() {
    var words: [UInt64] = [1, 0x0102_0304_0506_0708]
    swapBigEndian(&words)
    #expect(words[0].bigEndian == 1)
    swapBigEndian(&words)
    #expect(words == [1, 0x0102_0304_0506_0708])
  }
}
