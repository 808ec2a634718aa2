/// A block of guest RAM as the stream announces it.
public struct RAMBlock: Sendable, Hashable {
  /// QEMU's name: `pc.ram`, `0000:00:02.0/vga.vram`.
  public let name: String
  /// Bytes that the guest uses.
  public let usedByteCount: UInt64

  /// Makes a block.
  public init(name: String, usedByteCount: UInt64) {
    self.name = name
    self.usedByteCount = usedByteCount
  }
}

/// How pages lie in a stream.
enum RAMPages {
  /// Page sizes as powers of two: below, the flags would have no room; above, no machine is known.
  static let pageBits: ClosedRange<UInt32> = 10...20
  /// The page size where a stream does not tell it.
  static let standardByteCount: UInt64 = 4096
}

/// What is known of guest RAM while its sections are passed over.
public struct RAMSummary: Sendable, Hashable {
  /// Bytes of a page.
  public internal(set) var pageByteCount = RAMPages.standardByteCount
  /// The blocks, in the stream's order.
  public internal(set) var blocks: [RAMBlock] = []
  /// Pages of zeros; those of a running machine may be there several times.
  public internal(set) var zeroPageCount: UInt64 = 0
  /// Pages with their bytes.
  public internal(set) var dataPageCount: UInt64 = 0
  /// Pages compressed, or told as a difference from the one before (XBZRLE).
  public internal(set) var encodedPageCount: UInt64 = 0

  /// Bytes of all blocks.
  public var byteCount: UInt64 { blocks.reduce(0) { $0 &+ $1.usedByteCount } }
}

/// The low bits of each word of a RAM section (`RAM_SAVE_FLAG_*` of migration/ram.c).
enum RAMFlag {
  static let zero: UInt64 = 0x002
  static let memorySize: UInt64 = 0x004
  static let page: UInt64 = 0x008
  static let endOfSection: UInt64 = 0x010
  /// A modifier: the block is that of the page before.
  static let sameBlock: UInt64 = 0x020
  static let difference: UInt64 = 0x040
  static let hook: UInt64 = 0x080
  static let compressed: UInt64 = 0x100
  static let multifdFlush: UInt64 = 0x200
}
