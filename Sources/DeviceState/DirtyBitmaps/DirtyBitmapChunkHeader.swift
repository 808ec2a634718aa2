internal import ByteCoding

/// A chunk up to its bits: what both have to know, who wants the bitmaps and who only passes them over. It
/// takes 536 bytes at most, which a ``StreamCursor`` has room for.
struct DirtyBitmapChunkHeader {
  /// What a chunk says, without the bits.
  enum Body {
    case start(granularity: UInt32, flags: DirtyBitmapStartFlags)
    /// `byteCount` bytes of bits follow; nil if all are 0, and none do.
    case bits(firstSector: UInt64, sectorCount: UInt32, byteCount: Int?)
    case complete
    case nothing
  }

  let node: [UInt8]?
  let bitmap: [UInt8]?
  let body: Body
  let isLast: Bool

  /// How many bytes of bits follow.
  var followingByteCount: Int {
    if case .bits(_, _, let byteCount?) = body { byteCount } else { 0 }
  }

  /// Decodes a header.
  ///
  /// - Throws: `ByteCodingError` if it has not come to its end; ``StreamError``, without a place, for flags
  ///   that nobody knows, for a chunk that says nothing where its section goes on, which no sender writes, and with
  ///   QEMU's text for too many bits.
  init(decoding reader: inout ByteReader) throws {
    let flags = try DirtyBitmapChunkFlags(decoding: &reader)
    node = try flags.contains(.nodeName) ? Self.name(&reader) : nil
    bitmap = try flags.contains(.bitmapName) ? Self.name(&reader) : nil
    isLast = flags.contains(.end)
    // QEMU's order where several are set.
    body =
      if flags.contains(.start) {
        .start(
          granularity: try reader.read(),
          flags: DirtyBitmapStartFlags(rawValue: try reader.read()))
      } else if flags.contains(.complete) {
        .complete
      } else if flags.contains(.bits) {
        .bits(
          firstSector: try reader.read(), sectorCount: try reader.read(),
          byteCount: try flags.contains(.zeroes) ? nil : Self.byteCount(&reader))
      } else {
        .nothing
      }
    if case .nothing = body, !isLast {
      throw StreamError(.malformed, "a chunk that says nothing and does not end its section")
    }
  }

  private static func name(_ reader: inout ByteReader) throws(ByteCodingError) -> [UInt8] {
    try reader.read(byteCount: Int(try reader.read(UInt8.self)))
  }

  private static func byteCount(_ reader: inout ByteReader) throws -> Int {
    let byteCount: UInt64 = try reader.read()
    guard byteCount <= StreamLimits.bitmapChunkByteCount else {
      throw StreamError(
        .overLimit,
        "Bitmap migration stream buffer allocation request is too large: \(byteCount) bytes; the limit is "
          + "\(StreamLimits.bitmapChunkByteCount)")
    }
    return Int(byteCount)
  }
}

/// The flags before each chunk.
struct DirtyBitmapChunkFlags: OptionSet, Sendable, Hashable {
  let rawValue: UInt32

  static let end = DirtyBitmapChunkFlags(rawValue: 0x01)
  static let zeroes = DirtyBitmapChunkFlags(rawValue: 0x02)
  static let bitmapName = DirtyBitmapChunkFlags(rawValue: 0x04)
  static let nodeName = DirtyBitmapChunkFlags(rawValue: 0x08)
  static let start = DirtyBitmapChunkFlags(rawValue: 0x10)
  static let complete = DirtyBitmapChunkFlags(rawValue: 0x20)
  static let bits = DirtyBitmapChunkFlags(rawValue: 0x40)

  fileprivate static let known: DirtyBitmapChunkFlags = [
    .end, .zeroes, .bitmapName, .nodeName, .start, .complete, .bits,
  ]

  /// In the first byte: a second one follows. In the second: two more follow.
  fileprivate static let moreBytes: UInt8 = 0x80
}

extension DirtyBitmapChunkFlags {
  /// Decodes one, two or four bytes. The last one carries the flags; those before it would carry flags
  /// that are not known yet.
  ///
  /// - Throws: `ByteCodingError` if they have not all come; ``StreamError`` for unknown flags.
  fileprivate init(decoding reader: inout ByteReader) throws {
    let first: UInt8 = try reader.read()
    var bits = UInt32(first & ~Self.moreBytes)
    if first & Self.moreBytes != 0 {
      let second: UInt8 = try reader.read()
      bits = bits << 8 | UInt32(second & ~Self.moreBytes)
      if second & Self.moreBytes != 0 { bits = bits << 16 | UInt32(try reader.read(UInt16.self)) }
    }
    self.init(rawValue: bits)
    guard Self.known.isSuperset(of: self) else {
      throw StreamError(
        .malformed, "a chunk with the unknown flags 0x\(String(bits, radix: 16))")
    }
  }
}
