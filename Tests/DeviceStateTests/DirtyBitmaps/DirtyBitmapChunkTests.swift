import DeviceState
import Testing

@Suite struct DirtyBitmapChunkTests {
  static let chunks: [DirtyBitmapChunk] = [
    .end,
    DirtyBitmapChunk(
      node: Array("N".utf8), bitmap: Array("A1".utf8),
      .start(granularity: 65536, flags: [.enabled, .persistent])),
    DirtyBitmapChunk(
      bitmap: [UInt8](repeating: 65, count: 255), .start(granularity: 512, flags: [])),
    DirtyBitmapChunk(.bits(DirtyBitmapBits(firstSector: 0, sectorCount: 131072, .zeroes))),
    DirtyBitmapChunk(
      node: [], bitmap: [],
      .bits(
        DirtyBitmapBits(
          firstSector: 1 << 40, sectorCount: .max,
          .bytes((0..<1024).map { UInt8(truncatingIfNeeded: $0) })))),
    DirtyBitmapChunk(bitmap: Array("A1".utf8), .complete, isLast: true),
  ]

  /// Bytes of QEMU 7.2: one bitmap of a disk of 64 MiB, nothing dirty.
  @Test func chunksAreThoseOfQEMU() {
    #expect(Self.chunks[0].encoded == [0x01])
    #expect(
      DirtyBitmapChunk(
        node: Array("N".utf8), bitmap: Array("A2".utf8),
        .start(granularity: 65536, flags: .enabled)
      ).encoded == [0x1c, 1, 0x4e, 2, 0x41, 0x32, 0, 1, 0, 0, 1])
    #expect(
      Self.chunks[3].encoded == [0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0])
    #expect(DirtyBitmapChunk(.complete).encoded == [0x20])
  }

  private func decode(_ bytes: [UInt8], piece: Int) throws -> [DirtyBitmapChunk] {
    var parser = DirtyBitmapChunkParser()
    var found: [DirtyBitmapChunk] = []
    for start in stride(from: 0, to: bytes.count, by: piece) {
      parser.append(Array(bytes[start..<min(start + piece, bytes.count)]))
      while let chunk = try parser.next() { found.append(chunk) }
    }
    #expect(!parser.isInsideChunk)
    return found
  }

  @Test("what was encoded is decoded, however the bytes come", arguments: [1, 2, 7, 1000, 100_000])
  func roundTrip(piece: Int) throws {
    let bytes = Self.chunks.flatMap(\.encoded)
    #expect(try decode(bytes, piece: piece) == Self.chunks)
  }

  @Test func aChunkThatIsCutOffIsNotThereYet() throws {
    for chunk in Self.chunks {
      let bytes = chunk.encoded
      for count in bytes.indices {
        var parser = DirtyBitmapChunkParser()
        parser.append(Array(bytes[..<count]))
        #expect(try parser.next() == nil)
        #expect(parser.isInsideChunk == (count > 0))
      }
    }
  }

  @Test func flagsMayTakeTwoOrFourBytes() throws {
    for bytes: [UInt8] in [[0x80, 0x20], [0x80, 0x80, 0, 0x20]] {
      #expect(try decode(bytes, piece: 10) == [DirtyBitmapChunk(.complete)])
    }
  }

  @Test(
    "a buffer of that size is refused before it is read", arguments: [10241, 10 << 30, UInt64.max])
  func tooLarge(byteCount: UInt64) {
    var parser = DirtyBitmapChunkParser()
    let size = (0..<8).reversed().map { UInt8(truncatingIfNeeded: byteCount >> (8 * UInt64($0))) }
    parser.append([0x40] + [UInt8](repeating: 0, count: 12) + size)
    #expect {
      try parser.next()
    } throws: { error in
      (error as? StreamError)?.message
        == "Bitmap migration stream buffer allocation request is too large: \(byteCount) bytes; the limit "
        + "is 10240"
    }
  }

  @Test(
    "flags that nobody knows are refused",
    arguments: [[0x81, 0x20], [0x80, 0x81, 0, 0x20], [0x80, 0x80, 1, 0x20]])
  func unknownFlags(bytes: [UInt8]) { expectMalformed(bytes) }

  @Test(
    "a chunk that says nothing is the end of its section, or refused",
    arguments: [[0], [0x80, 0], [0x02], [0x08, 1, 65], [0x0e, 1, 65, 1, 66]] as [[UInt8]])
  func nothing(bytes: [UInt8]) throws {
    expectMalformed(bytes)
    var last = bytes
    last[bytes[0] == 0x80 ? 1 : 0] |= 0x01
    let chunk = try #require(try decode(last, piece: 10).first)
    #expect(chunk.isLast && chunk.body == .nothing)
    #expect(try decode(chunk.encoded, piece: 10) == [chunk])
  }

  private func expectMalformed(_ bytes: [UInt8]) {
    var parser = DirtyBitmapChunkParser()
    parser.append(bytes)
    #expect {
      try parser.next()
    } throws: { error in
      (error as? StreamError)?.code == .malformed
    }
  }
}
