/// Takes bitmaps apart into chunks, exactly as QEMU does: the sending side.
///
/// All bitmaps are announced first, then come the bits of all, then the word that each is complete.
/// Names are left out where the chunk before had the same.
public struct DirtyBitmapSender: Sendable {
  /// A bitmap that is to be sent.
  public struct Bitmap: Sendable, Hashable {
    /// The node's name on the wire.
    public let nodeAlias: String
    /// The bitmap's name on the wire.
    public let alias: String
    /// Bytes of the disk that one bit stands for: a power of 2 from 512 on.
    public let granularity: UInt32
    /// Bytes of the disk.
    public let diskSize: UInt64
    /// What its announcement says.
    public let flags: DirtyBitmapStartFlags

    /// Describes a bitmap.
    ///
    /// - Throws: ``StreamError`` for an alias that has no room on the wire, or a granularity that is
    ///   none.
    public init(
      nodeAlias: String, alias: String, granularity: UInt32, diskSize: UInt64,
      flags: DirtyBitmapStartFlags
    ) throws(StreamError) {
      guard nodeAlias.utf8.count <= DirtyBitmapLimits.aliasByteCount,
        alias.utf8.count <= DirtyBitmapLimits.aliasByteCount
      else {
        throw StreamError(
          .overLimit,
          "Cannot migrate bitmap '\(alias)' on node '\(nodeAlias)': Name is longer than "
            + "\(DirtyBitmapLimits.aliasByteCount) bytes")
      }
      guard granularity >= 512, granularity.nonzeroBitCount == 1 else {
        throw StreamError(
          .malformed, "Granularity must be power of 2 and at least 512, not \(granularity)")
      }
      self.nodeAlias = nodeAlias
      self.alias = alias
      self.granularity = granularity
      self.diskSize = diskSize
      self.flags = flags
    }

    /// Sectors of the disk.
    var sectorCount: UInt64 { diskSize / 512 + (diskSize % 512 == 0 ? 0 : 1) }

    /// Sectors of the disk that one chunk covers: 8192 bits, fewer where the count has no room on the
    /// wire.
    var sectorsPerChunk: UInt64 {
      let perGranule = UInt64(granularity / 512)
      let perChunk = 8 * DirtyBitmapLimits.sentChunkByteCount * perGranule
      return min(perChunk, UInt64(UInt32.max) / (64 * perGranule) * (64 * perGranule))
    }

    /// Bytes of all its bits.
    public var contentByteCount: UInt64 {
      let bitCount = diskSize / UInt64(granularity) + (diskSize % UInt64(granularity) == 0 ? 0 : 1)
      return (bitCount + 63) / 64 * 8
    }
  }

  private var lastNode: [UInt8]?
  private var lastBitmap: [UInt8]?

  /// Starts sending.
  public init() {}

  /// The announcement of a bitmap.
  public mutating func announce(_ bitmap: Bitmap) -> DirtyBitmapChunk {
    chunk(of: bitmap, .start(granularity: bitmap.granularity, flags: bitmap.flags))
  }

  /// The word that a bitmap is complete.
  public mutating func complete(_ bitmap: Bitmap) -> DirtyBitmapChunk {
    chunk(of: bitmap, .complete)
  }

  /// All bits of a bitmap, chunk by chunk.
  ///
  /// - Parameters:
  ///   - bitmap: the bitmap.
  ///   - read: hands out some bytes of its bits, as many as the range has; nil if all of them are 0.
  ///   - send: takes a chunk, with the bytes of bits that it stands for.
  /// - Throws: what the two throw.
  public mutating func sendBits(
    of bitmap: Bitmap, read: (_ bytes: Range<UInt64>) throws -> [UInt8]?,
    send: (_ chunk: DirtyBitmapChunk, _ byteCount: UInt64) throws -> Void
  ) throws {
    let perGranule = UInt64(bitmap.granularity / 512)
    var sector: UInt64 = 0
    while sector < bitmap.sectorCount {
      let count = min(bitmap.sectorsPerChunk, bitmap.sectorCount - sector)
      let offset = sector / perGranule / 8
      let byteCount = ((count + perGranule - 1) / perGranule + 63) / 64 * 8
      var content = DirtyBitmapBits.Content.zeroes
      if var bytes = try read(offset..<offset + byteCount), bytes.contains(where: { $0 != 0 }) {
        // As QEMU has it: a multiple of four words.
        let padded = (Int(byteCount) + 31) / 32 * 32
        bytes += [UInt8](repeating: 0, count: max(0, padded - bytes.count))
        content = .bytes(bytes)
      }
      let bits = DirtyBitmapBits(firstSector: sector, sectorCount: UInt32(count), content)
      try send(chunk(of: bitmap, .bits(bits)), byteCount)
      sector += count
    }
  }

  private mutating func chunk(
    of bitmap: Bitmap, _ body: DirtyBitmapChunk.Body
  ) -> DirtyBitmapChunk {
    let (node, name) = (Array(bitmap.nodeAlias.utf8), Array(bitmap.alias.utf8))
    let isSameNode = lastNode == node
    let isSameBitmap = isSameNode && lastBitmap == name
    (lastNode, lastBitmap) = (node, name)
    return DirtyBitmapChunk(
      node: isSameNode ? nil : node, bitmap: isSameBitmap ? nil : name, body)
  }
}
