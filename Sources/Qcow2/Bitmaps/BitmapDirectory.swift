internal import ByteCoding

/// One entry of the bitmap directory (qcow2 specification, "Bitmaps"), in disk order.
struct BitmapDirectoryEntry: Sendable, Hashable {
  /// Where the bitmap table begins.
  let tableOffset: HostOffset
  /// Entries of the bitmap table.
  let tableSize: UInt32
  /// Bit 0 in use, bit 1 auto, bit 2 extra data compatible.
  let flags: UInt32
  /// log2 of the disk's bytes that one bit stands for.
  let granularityBits: UInt8
  /// The bitmap's name.
  let name: [UInt8]
}

/// Where the bitmap directory lies: the bitmaps extension's data.
struct BitmapsExtension: Sendable, Hashable {
  /// Number of bitmaps.
  let count: UInt32
  /// Bytes of the directory.
  let directoryByteCount: UInt64
  /// Where the directory begins.
  let directoryOffset: HostOffset

  /// Decodes and checks the extension (QEMU's texts).
  init(decoding data: [UInt8], geometry: ClusterGeometry) throws(Qcow2Error) {
    guard data.count == 24 else { throw .malformed("bitmaps_ext: Invalid extension length") }
    count = data.span.bytes.bigEndian(UInt32.self, at: 0)
    guard data.span.bytes.bigEndian(UInt32.self, at: 4) == 0 else {
      throw .malformed("bitmaps_ext: Reserved field is not zero")
    }
    directoryByteCount = data.span.bytes.bigEndian(UInt64.self, at: 8)
    directoryOffset = HostOffset(data.span.bytes.bigEndian(UInt64.self, at: 16))
    guard count > 0 else { throw .malformed("found bitmaps extension with zero bitmaps") }
    guard count <= Limits.bitmapCount else {
      throw .overLimit("bitmaps_ext: image has \(count) bitmaps, exceeding the maximum of 65535")
    }
    guard geometry.isAligned(directoryOffset), directoryOffset.bytes <= Limits.hostOffset else {
      throw .malformed("bitmaps_ext: invalid bitmap directory offset", at: directoryOffset.bytes)
    }
    guard directoryByteCount <= Limits.bitmapDirectoryByteCount else {
      throw .overLimit("bitmaps_ext: bitmap directory size exceeds the maximum")
    }
  }
}

extension HeaderArea {
  /// Where the bitmap directory lies; nil if there are no bitmaps, or if a program that does not know
  /// them has written to the image: QEMU does not look at them then, nor does this engine.
  func bitmapsExtension() throws(Qcow2Error) -> BitmapsExtension? {
    guard header.autoclear.contains(.bitmaps), let data = ext(HeaderExtension.bitmaps)?.data else {
      return nil
    }
    return try BitmapsExtension(decoding: data, geometry: header.geometry)
  }
}

extension BitmapDirectoryEntry {
  /// Decodes a directory.
  static func decodeDirectory(
    _ bytes: [UInt8], count: Int, geometry: ClusterGeometry
  ) throws(Qcow2Error) -> [BitmapDirectoryEntry] {
    var reader = ByteReader(bytes)
    var entries: [BitmapDirectoryEntry] = []
    do {
      while reader.remaining > 0 {
        guard entries.count < count else {
          throw Qcow2Error.malformed("More bitmaps found than specified in header extension")
        }
        let tableOffset = HostOffset(try reader.read())
        let tableSize: UInt32 = try reader.read()
        let flags: UInt32 = try reader.read()
        let type: UInt8 = try reader.read()
        let granularityBits: UInt8 = try reader.read()
        let nameByteCount: UInt16 = try reader.read()
        let extraByteCount: UInt32 = try reader.read()
        guard type == 1, tableSize > 0, geometry.isAligned(tableOffset),
          tableOffset.bytes > 0, tableOffset.bytes <= Limits.hostOffset
        else { throw Qcow2Error.malformed("Broken bitmap directory", at: tableOffset.bytes) }
        try reader.skip(byteCount: Int(extraByteCount))
        let name = try reader.read(byteCount: Int(nameByteCount))
        try reader.skip(byteCount: min((8 - reader.position % 8) % 8, reader.remaining))
        entries.append(
          BitmapDirectoryEntry(
            tableOffset: tableOffset, tableSize: tableSize, flags: flags,
            granularityBits: granularityBits, name: name))
      }
    } catch let error as Qcow2Error {
      throw error
    } catch {
      throw .malformed("Broken bitmap directory")
    }
    guard entries.count == count else {
      throw .malformed("Less bitmaps found than specified in header extension")
    }
    return entries
  }
}
