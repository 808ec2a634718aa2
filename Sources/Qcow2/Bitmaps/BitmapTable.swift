/// A bitmap's table: where each cluster of its bits lies.
struct BitmapTable: Sendable {
  /// What the table says of one cluster of bits.
  enum Entry: Sendable, Hashable {
    /// No bit is set.
    case zeros
    /// All bits are set.
    case ones
    /// The bits lie here.
    case data(HostOffset)
  }

  /// The entries, in the order of the bits.
  let entries: [Entry]

  /// Reads and checks the table of a bitmap.
  ///
  /// - Throws: ``Qcow2Error`` if the directory's entry or the table breaks the format's rules, or lies beyond
  ///   the end of the file.
  init(of bitmap: BitmapDirectoryEntry, in image: Image) throws(Qcow2Error) {
    guard bitmap.isSound(diskSize: image.header.size, image.geometry) else {
      throw .malformed("Bitmap '\(bitmap.printableName)' doesn't satisfy the constraints")
    }
    // A claim of millions of entries in a small file takes no memory.
    guard bitmap.tableOffset.bytes < UInt64(image.fileLength),
      UInt64(bitmap.tableSize) * 8 <= UInt64(image.fileLength) - bitmap.tableOffset.bytes
    else {
      throw .malformed(
        "the table of bitmap '\(bitmap.printableName)' ends beyond the end of the file",
        at: bitmap.tableOffset.bytes)
    }
    let words = try image.file.readWords(count: Int(bitmap.tableSize), at: bitmap.tableOffset)
    var entries: [Entry] = []
    entries.reserveCapacity(words.count)
    for word in words {
      guard let entry = Entry(word, image.geometry) else {
        throw .malformed(
          "an entry of the table of bitmap '\(bitmap.printableName)' is not valid",
          at: bitmap.tableOffset.bytes)
      }
      entries.append(entry)
    }
    self.entries = entries
  }

  /// The clusters of bits that are stored.
  var dataOffsets: [HostOffset] {
    entries.compactMap { if case .data(let offset) = $0 { offset } else { nil } }
  }
}

extension BitmapTable.Entry {
  /// Decodes a word; nil if no valid image has it.
  init?(_ word: UInt64, _ geometry: ClusterGeometry) {
    let offset = word & TableEntry.offsetMask
    guard word & BitmapLimits.entryReservedMask == 0 else { return nil }
    if offset == 0 {
      self = word & BitmapLimits.entryAllOnes == 0 ? .zeros : .ones
    } else {
      guard word & BitmapLimits.entryAllOnes == 0, geometry.isAligned(HostOffset(offset)) else {
        return nil
      }
      self = .data(HostOffset(offset))
    }
  }

  /// The word on disk.
  var word: UInt64 {
    switch self {
    case .zeros: 0
    case .ones: BitmapLimits.entryAllOnes
    case .data(let offset): offset.bytes
    }
  }
}

extension Image {
  /// The bits of a persistent bitmap.
  ///
  /// - Parameter name: the bitmap's name.
  /// - Returns: its bits.
  /// - Throws: ``Qcow2Error`` with the path: notFound or conflict for the name, inconsistent bitmaps as
  ///   ``BitmapSet/content(of:)``, malformed for a damaged table.
  public func bitmapContent(named name: String) throws(Qcow2Error) -> BitmapContent {
    try BitmapSet(self).content(of: name)
  }

  /// Reads the bits of a bitmap.
  func readContent(of bitmap: BitmapDirectoryEntry) throws(Qcow2Error) -> BitmapContent {
    var content = try BitmapContent(
      size: header.size, granularityBits: Int(bitmap.granularityBits))
    let table = try BitmapTable(of: bitmap, in: self)
    guard table.entries.count == geometry.clusterCount(bytes: Int(content.byteCount)) else {
      throw .malformed(
        "the table of bitmap '\(bitmap.printableName)' does not fit the disk's size",
        at: bitmap.tableOffset.bytes)
    }
    let end = Int(content.byteCount)
    let bitsPerByte = UInt64(8) << UInt64(bitmap.granularityBits)
    var index = 0
    while index < table.entries.count {
      let start = index << geometry.clusterBits
      switch table.entries[index] {
      case .zeros: index += 1
      case .ones:
        content.insert(
          UInt64(start) * bitsPerByte..<UInt64(start + clusterSize) * bitsPerByte)
        index += 1
      case .data(let offset):
        // Neighbours are read together.
        var count = 1
        while index + count < table.entries.count,
          count << geometry.clusterBits < PosixFile.batchByteCount,
          table.entries[index + count]
            == .data(HostOffset(offset.bytes + UInt64(count << geometry.clusterBits)))
        { count += 1 }
        let byteCount = min(count << geometry.clusterBits, end - start)
        try content.replace(file.read(byteCount: byteCount, at: Int64(offset.bytes)), at: start)
        index += count
      }
    }
    return content
  }
}
