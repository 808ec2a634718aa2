internal import ByteCoding

/// Cuts the payload of a section of dirty bitmaps into chunks, however its bytes come.
public struct DirtyBitmapChunkParser: Sendable {
  private var bytes: [UInt8] = []
  private var position = 0

  /// Starts in front of the first chunk.
  public init() {}

  /// Takes more bytes.
  public mutating func append(_ more: [UInt8]) {
    if position > 0 {
      bytes.removeFirst(position)
      position = 0
    }
    bytes += more
  }

  /// Whether bytes of a chunk have come whose end has not.
  public var isInsideChunk: Bool { position < bytes.count }

  /// Takes the next chunk off; nil if it has not come to its end.
  ///
  /// - Throws: ``StreamError`` with QEMU's text for a chunk that is too large.
  public mutating func next() throws(StreamError) -> DirtyBitmapChunk? {
    guard isInsideChunk else { return nil }
    var reader = ByteReader(bytes, position: position)
    do {
      let chunk = try DirtyBitmapChunk(decoding: &reader)
      position = reader.position
      return chunk
    } catch let error as StreamError {
      throw error
    } catch {
      return nil
    }
  }
}

extension DirtyBitmapChunk {
  /// Decodes a chunk.
  ///
  /// - Throws: `ByteCodingError` if it has not come to its end; ``StreamError`` if it is too large.
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
        .bits(try DirtyBitmapBits(decoding: &reader, isZero: flags.contains(.zeroes)))
      } else {
        .nothing
      }
  }

  private static func name(_ reader: inout ByteReader) throws(ByteCodingError) -> [UInt8] {
    try reader.read(byteCount: Int(try reader.read(UInt8.self)))
  }
}

extension DirtyBitmapBits {
  fileprivate init(decoding reader: inout ByteReader, isZero: Bool) throws {
    firstSector = try reader.read()
    sectorCount = try reader.read()
    if isZero {
      content = .zeroes
      return
    }
    let byteCount: UInt64 = try reader.read()
    guard byteCount <= StreamLimits.bitmapChunkByteCount else {
      throw StreamError(
        .overLimit, "Bitmap migration stream buffer allocation request is too large")
    }
    content = .bytes(try reader.read(byteCount: Int(byteCount)))
  }
}

extension DirtyBitmapChunkFlags {
  /// The last byte carries the flags; what came before it would be flags that are not known yet.
  fileprivate init(decoding reader: inout ByteReader) throws(ByteCodingError) {
    var bits = UInt32(try reader.read(UInt8.self))
    if bits & UInt32(Self.moreBytes) != 0 {
      let second: UInt8 = try reader.read()
      bits = bits << 8 | UInt32(second)
      if second & Self.moreBytes != 0 { bits = bits << 16 | UInt32(try reader.read(UInt16.self)) }
    }
    self.init(rawValue: bits)
  }
}
