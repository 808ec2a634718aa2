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
  /// - Throws: ``StreamError``, without a place, for flags that nobody knows, and with QEMU's text for a chunk
  ///   that is too large.
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
  /// - Throws: `ByteCodingError` if it has not come to its end; ``StreamError`` as its header.
  init(decoding reader: inout ByteReader) throws {
    let header = try DirtyBitmapChunkHeader(decoding: &reader)
    let body: Body =
      switch header.body {
      case .start(let granularity, let flags): .start(granularity: granularity, flags: flags)
      case .bits(let firstSector, let sectorCount, let byteCount):
        .bits(
          DirtyBitmapBits(
            firstSector: firstSector, sectorCount: sectorCount,
            try byteCount.map { .bytes(try reader.read(byteCount: $0)) } ?? .zeroes))
      case .complete: .complete
      case .nothing: .nothing
      }
    self.init(node: header.node, bitmap: header.bitmap, body, isLast: header.isLast)
  }
}
