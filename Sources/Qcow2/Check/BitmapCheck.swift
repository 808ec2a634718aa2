extension ImageCheck {
  /// Counts the bitmap directory, the bitmaps' tables and their data.
  ///
  /// A bitmap that breaks the format's rules keeps the image from being checked, as it keeps qemu-img
  /// from opening it: nobody knows what its table leads to.
  mutating func countBitmaps(_ checkpoint: Checkpoint) throws {
    guard let ext = try image.area.bitmapsExtension() else { return }
    count(ext.directoryOffset.bytes, byteCount: ext.directoryByteCount)
    for bitmap in image.bitmapEntries {
      guard bitmap.isSound(diskSize: image.header.size, geometry) else {
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
}
