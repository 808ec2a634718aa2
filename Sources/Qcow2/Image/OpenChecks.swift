extension HeaderArea {
  /// What to do about an image that QEMU does not open.
  fileprivate static let advice = "; QEMU does not open the image either: restore it from a backup"

  /// Refuses header extensions with which QEMU does not open an image (`qcow2_read_extensions`), used or not.
  func checkExtensions() throws(Qcow2Error) {
    for ext in extensions {
      switch ext.type {
      case HeaderExtension.backingFormat where ext.data.count > Limits.backingFormatByteCount:
        throw .overLimit(
          "ERROR: ext_backing_format: len=\(ext.data.count) too large "
            + "(>=\(Limits.backingFormatByteCount + 1))")
      case HeaderExtension.bitmaps where ext.data.count != BitmapsExtension.byteCount:
        throw .malformed("bitmaps_ext: Invalid extension length")
      default: break
      }
    }
    if header.autoclear.contains(.rawExternal), !header.incompatible.contains(.externalDataFile) {
      throw .malformed("data-file-raw requires a data file\(Self.advice)", at: 88)
    }
  }
}

extension Image {
  /// The first bytes of a LUKS header.
  private static var luksMagic: [UInt8] { Array("LUKS".utf8) + [0xba, 0xbe] }

  /// Refuses an image that says it is encrypted by LUKS, and has no LUKS header: its key material may be in any
  /// cluster that nothing else leads to.
  func checkEncryptionHeader() throws(Qcow2Error) {
    guard header.cryptMethod == 2 else { return }
    guard let pointer = try area.luksHeader() else {
      throw .malformed("Missing CRYPTO header for crypt method 2\(HeaderArea.advice)", at: 32)
    }
    let start = try file.readZeroPadded(
      byteCount: Self.luksMagic.count, at: Int64(clamping: pointer.offset.bytes))
    guard start == Self.luksMagic else {
      throw .malformed(
        "no LUKS header is where its header extension says\(HeaderArea.advice)",
        at: pointer.offset.bytes)
    }
  }

  /// Refuses bitmaps with which QEMU does not open an image (`qcow2_load_dirty_bitmaps`).
  ///
  /// - Parameter readsTables: whether the tables of bitmaps that are not in use are looked at as well.
  /// - Throws: ``Qcow2Error`` (malformed), in QEMU's words where it has some; io if a table cannot be read.
  func checkBitmaps(readsTables: Bool) throws(Qcow2Error) {
    var names: Set<[UInt8]> = []
    var tableByteCount: UInt64 = 0
    for bitmap in bitmapEntries {
      guard bitmap.isSound(diskSize: header.size, geometry) else {
        throw .malformed(
          "Bitmap '\(bitmap.printableName)' doesn't satisfy the constraints\(HeaderArea.advice)")
      }
      let isNew = names.insert(bitmap.name).inserted
      guard !bitmap.isInUse else { continue }
      guard isNew else {
        throw .malformed("Bitmap already exists: \(bitmap.printableName)\(HeaderArea.advice)")
      }
      let bits = try BitmapContent(
        size: header.size, granularityBits: Int(bitmap.granularityBits))
      guard Int(bitmap.tableSize) == geometry.clusterCount(bytes: Int(bits.byteCount)) else {
        throw .malformed(
          "the table of bitmap '\(bitmap.printableName)' does not fit the disk's size\(HeaderArea.advice)",
          at: bitmap.tableOffset.bytes)
      }
      guard readsTables else { continue }
      // So that no more is read than the file has, whatever is claimed.
      tableByteCount += UInt64(bitmap.tableSize) * 8
      guard tableByteCount <= UInt64(fileLength) + UInt64(clusterSize) else {
        throw .malformed("the tables of the bitmaps are larger than the file\(HeaderArea.advice)")
      }
      try checkTable(of: bitmap)
    }
  }

  /// Refuses a table that has an entry which is not valid.
  private func checkTable(of bitmap: BitmapDirectoryEntry) throws(Qcow2Error) {
    let words = try file.readWords(
      count: Int(bitmap.tableSize), at: bitmap.tableOffset, isZeroPadded: true)
    guard words.allSatisfy({ BitmapTable.Entry($0, geometry) != nil }) else {
      throw .malformed(
        "an entry of the table of bitmap '\(bitmap.printableName)' is not valid\(HeaderArea.advice)",
        at: bitmap.tableOffset.bytes)
    }
  }
}
