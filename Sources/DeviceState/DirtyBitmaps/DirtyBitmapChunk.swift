/// One chunk of a section of dirty bitmaps: the announcement of a bitmap, a run of its bits, or the word
/// that it is complete.
///
/// A chunk begins with its flags, then come the names that differ from those of the chunk before:
///
/// ```
/// ┌───────┬───┬────────────┬───┬──────────────┬─────────────────────────────────────────────┐
/// │ flags │ n │ node alias │ n │ bitmap alias │ START    granularity u32, start flags u8    │
/// │ 1,2,4 │   │ if NODE    │   │ if BITMAP    │ BITS     sector u64, sectors u32            │
/// │ bytes │   │            │   │              │          and unless ZEROES: count u64, bits │
/// └───────┴───┴────────────┴───┴──────────────┴─────────────────────────────────────────────┘
/// ```
///
/// Integers are big-endian; the source is migration/block-dirty-bitmap.c of QEMU.
public struct DirtyBitmapChunk: Sendable, Hashable {
  /// What a chunk says.
  public enum Body: Sendable, Hashable {
    /// A bitmap is about to be sent.
    case start(granularity: UInt32, flags: DirtyBitmapStartFlags)
    /// A run of a bitmap's bits.
    case bits(DirtyBitmapBits)
    /// A bitmap has been sent to its end.
    case complete
    /// Nothing; it stands at the end of a section only, and is refused elsewhere.
    case nothing
  }

  /// The node's alias; nil if it is that of the chunk before.
  public let node: [UInt8]?
  /// The bitmap's alias; nil if it is that of the chunk before.
  public let bitmap: [UInt8]?
  /// What it says.
  public let body: Body
  /// Whether it is the last one of its section.
  public let isLast: Bool

  /// Makes a chunk.
  public init(node: [UInt8]? = nil, bitmap: [UInt8]? = nil, _ body: Body, isLast: Bool = false) {
    self.node = node
    self.bitmap = bitmap
    self.body = body
    self.isLast = isLast
  }

  /// The end of a section: the single byte 1.
  public static let end = DirtyBitmapChunk(.nothing, isLast: true)
}

/// A run of a bitmap's bits.
public struct DirtyBitmapBits: Sendable, Hashable {
  /// What the bits of a run are.
  public enum Content: Sendable, Hashable {
    /// All are 0.
    case zeroes
    /// Little-endian 64-bit words; bit *i* is that of the run's granule *i*.
    case bytes([UInt8])
  }

  /// Where on the disk the run begins, in sectors of 512 bytes.
  public let firstSector: UInt64
  /// How many sectors it covers.
  public let sectorCount: UInt32
  /// The bits.
  public let content: Content

  /// Makes a run.
  public init(firstSector: UInt64, sectorCount: UInt32, _ content: Content) {
    self.firstSector = firstSector
    self.sectorCount = sectorCount
    self.content = content
  }
}

/// What the announcement of a bitmap says of it.
public struct DirtyBitmapStartFlags: OptionSet, Sendable, Hashable {
  /// The bits on the wire.
  public let rawValue: UInt8

  /// Makes flags of the bits on the wire.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// It records writes.
  public static let enabled = DirtyBitmapStartFlags(rawValue: 0x01)
  /// It is kept in the image.
  public static let persistent = DirtyBitmapStartFlags(rawValue: 0x02)
  /// Sent by QEMU before 2.12; means nothing any more.
  public static let autoload = DirtyBitmapStartFlags(rawValue: 0x04)

  /// The bits that mean nothing yet.
  var unknown: UInt8 { rawValue & 0xf8 }
}
