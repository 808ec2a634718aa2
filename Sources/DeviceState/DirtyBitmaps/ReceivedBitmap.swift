/// A bitmap as it came over the wire.
public struct ReceivedBitmap: Sendable, Hashable {
  /// Bits that are not all 0.
  public struct Run: Sendable, Hashable {
    /// Where the run begins, in bytes from the start of the bitmap; a multiple of 8.
    public let byteOffset: UInt64
    /// Bit *k* of byte *i* is that of granule 8 *i* + *k* of the run.
    public let bytes: [UInt8]
  }

  /// The node's name on this side.
  public let node: String
  /// The bitmap's name on this side.
  public let name: String
  /// Bytes of the disk that one bit stands for.
  public let granularity: UInt32
  /// Bytes of the disk.
  public let diskSize: UInt64
  /// Whether it records writes.
  public let isEnabled: Bool
  /// Whether the sender keeps it in the image, with the receiver's transformation.
  public let isPersistent: Bool
  /// Its bits, ascending; what lies between the runs is 0.
  public internal(set) var runs: [Run] = []

  /// The sectors of the disk that have come; they come in order.
  var coveredSectorCount: UInt64 = 0
  /// Whether it was sent to its end.
  var isComplete = false

  /// Bytes of its bits.
  var byteCount: UInt64 { Self.byteCount(ofSectors: sectorCount, granularity) }

  /// Bytes of its bits that have come.
  var coveredByteCount: UInt64 { Self.byteCount(ofSectors: coveredSectorCount, granularity) }

  private static func byteCount(ofSectors count: UInt64, _ granularity: UInt32) -> UInt64 {
    let sectorsPerGranule = UInt64(granularity / 512)
    let bitCount = count / sectorsPerGranule + (count % sectorsPerGranule == 0 ? 0 : 1)
    return (bitCount + 63) / 64 * 8
  }

  var sectorCount: UInt64 { diskSize / 512 + (diskSize % 512 == 0 ? 0 : 1) }

  init(
    node: String, name: String, granularity: UInt32, diskSize: UInt64, isEnabled: Bool,
    isPersistent: Bool
  ) {
    self.node = node
    self.name = name
    self.granularity = granularity
    self.diskSize = diskSize
    self.isEnabled = isEnabled
    self.isPersistent = isPersistent
  }
}

extension ReceivedBitmap {
  /// Takes a run of bits.
  ///
  /// - Returns: how many bytes of memory it takes; none for bits that are all 0.
  /// - Throws: ``StreamError`` if it does not continue what has come, or not fit the disk.
  mutating func take(_ bits: DirtyBitmapBits) throws(StreamError) -> UInt64 {
    guard !isComplete else { throw misplaced(bits, "comes after its end") }
    let sectorsPerGranule = UInt64(granularity / 512)
    guard bits.firstSector == coveredSectorCount else {
      throw misplaced(bits, "does not begin where the run before it ends (\(coveredSectorCount))")
    }
    let count = UInt64(bits.sectorCount)
    guard count > 0, count <= sectorCount - coveredSectorCount else {
      throw misplaced(bits, "does not fit the disk of \(diskSize) bytes")
    }
    let end = coveredSectorCount + count
    guard end == sectorCount || count % (64 * sectorsPerGranule) == 0 else {
      throw misplaced(bits, "ends inside a word")
    }
    coveredSectorCount = end
    guard case .bytes(var bytes) = bits.content else { return 0 }
    let bitCount = (count + sectorsPerGranule - 1) / sectorsPerGranule
    let byteCount = Self.byteCount(ofSectors: count, granularity)
    // The sender rounds up to four words.
    guard UInt64(bytes.count) >= byteCount, UInt64(bytes.count) <= (byteCount + 31) / 32 * 32 else {
      throw StreamError(
        .malformed,
        "Migrated bitmap granularity doesn't match the destination bitmap '\(name)' granularity")
    }
    bytes.removeLast(bytes.count - Int(byteCount))
    Self.clearTail(of: &bytes, from: Int(bitCount))
    guard bytes.contains(where: { $0 != 0 }) else { return 0 }
    let offset = bits.firstSector / sectorsPerGranule / 8
    runs.append(Run(byteOffset: offset, bytes: bytes))
    return byteCount + DirtyBitmapLimits.runByteCount
  }

  /// Bits beyond the disk's end mean nothing.
  private static func clearTail(of bytes: inout [UInt8], from bit: Int) {
    guard bit < 8 * bytes.count else { return }
    bytes[bit / 8] &= UInt8((1 << (bit % 8)) - 1)
    for index in (bit / 8 + 1)..<max(bytes.count, bit / 8 + 1) { bytes[index] = 0 }
  }

  private func misplaced(_ bits: DirtyBitmapBits, _ problem: String) -> StreamError {
    StreamError(
      .malformed,
      "A run of \(bits.sectorCount) sectors from \(bits.firstSector) of bitmap '\(name)' on node "
        + "'\(node)' \(problem)")
  }
}
