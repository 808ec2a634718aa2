extension ImageCheck {
  /// Counts the bitmap directory, the bitmaps' tables and their data.
  ///
  /// A bitmap that breaks the format's rules keeps the image from being checked, as it keeps qemu-img
  /// from opening it: nobody knows what its table leads to.
  mutating func countBitmaps(_ checkpoint: Checkpoint) throws {
    guard let ext = try image.area.bitmapsExtension() else { return }
    count(ext.directoryOffset.bytes, byteCount: ext.directoryByteCount)
    for bitmap in image.bitmaps {
      guard isSound(bitmap) else {
        findings.failure("ERROR: Bitmap '\(bitmap.printableName)' doesn't satisfy the constraints")
        continue
      }
      count(bitmap.tableOffset.bytes, byteCount: UInt64(bitmap.tableSize) * 8)
      try countTable(of: bitmap, checkpoint)
    }
  }

  private mutating func countTable(
    of bitmap: BitmapDirectoryEntry, _ checkpoint: Checkpoint
  ) throws {
    let words = try image.file.readWords(
      count: Int(bitmap.tableSize), at: bitmap.tableOffset, isZeroPadded: true)
    let clusterSize = UInt64(geometry.clusterSize)
    for word in words {
      let offset = word & TableEntry.offsetMask
      let hasReserved = word & BitmapLimits.entryReservedMask != 0
      guard !hasReserved, offset == 0 || (word & 1 == 0 && offset % clusterSize == 0) else {
        findings.failure(
          "ERROR: bitmap '\(bitmap.printableName)' has a table entry that is not valid: "
            + hexadecimal(word))
        return
      }
      if offset != 0 { count(offset, byteCount: clusterSize) }
    }
    try checkpoint(Int64(words.count * 8))
  }

  /// QEMU's rules for an entry of the directory.
  private func isSound(_ bitmap: BitmapDirectoryEntry) -> Bool {
    let byteCount = UInt64(bitmap.tableSize) * UInt64(geometry.clusterSize)
    guard bitmap.tableSize <= BitmapLimits.tableEntryCount, byteCount <= BitmapLimits.byteCount,
      BitmapLimits.granularityBits.contains(bitmap.granularityBits),
      bitmap.flags & BitmapLimits.reservedFlags == 0,
      (1...BitmapLimits.nameByteCount).contains(bitmap.name.count)
    else { return false }
    let isInUse = bitmap.flags & 1 != 0
    return isInUse || image.header.size <= (byteCount * 8) << UInt64(bitmap.granularityBits)
  }
}

/// QEMU's limits of a bitmap (block/qcow2-bitmap.c).
private enum BitmapLimits {
  /// `BME_MAX_TABLE_SIZE`.
  static let tableEntryCount: UInt32 = 0x800_0000
  /// `BME_MAX_PHYS_SIZE`.
  static let byteCount: UInt64 = 0x2000_0000
  /// `BME_MIN_GRANULARITY_BITS` and `BME_MAX_GRANULARITY_BITS`.
  static let granularityBits: ClosedRange<UInt8> = 9...31
  /// `BME_MAX_NAME_SIZE`.
  static let nameByteCount = 1023
  /// `BME_RESERVED_FLAGS`: all but in use and auto.
  static let reservedFlags: UInt32 = 0xffff_fffc
  /// `BME_TABLE_ENTRY_RESERVED_MASK`.
  static let entryReservedMask: UInt64 = 0xff00_0000_0000_01fe
}

extension BitmapDirectoryEntry {
  /// The name as it can be shown.
  fileprivate var printableName: String { String(decoding: name, as: UTF8.self) }
}
