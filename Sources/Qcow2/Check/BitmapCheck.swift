extension ImageCheck {
  /// Counts the bitmap directory, the bitmaps' tables and their data.
  ///
  /// The table of a bitmap that is in use was not looked at before. Where it breaks the format's rules nobody
  /// knows what it leads to.
  mutating func countBitmaps(_ checkpoint: Checkpoint) throws {
    guard let ext = try image.area.bitmapsExtension() else { return }
    count(ext.directoryOffset.bytes, byteCount: ext.directoryByteCount)
    for bitmap in image.bitmapEntries {
      count(bitmap.tableOffset.bytes, byteCount: UInt64(bitmap.tableSize) * 8)
      try countTable(of: bitmap, checkpoint)
    }
  }

  private mutating func countTable(
    of bitmap: BitmapDirectoryEntry, _ checkpoint: Checkpoint
  ) throws {
    foresee(Int64(bitmap.tableSize) * 8)
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
}
