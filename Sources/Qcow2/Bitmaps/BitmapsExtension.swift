internal import ByteCoding

/// Where the bitmap directory lies: the bitmaps extension's data.
struct BitmapsExtension: Sendable, Hashable {
  /// Number of bitmaps.
  let count: UInt32
  /// Bytes of the directory.
  let directoryByteCount: UInt64
  /// Where the directory begins.
  let directoryOffset: HostOffset

  /// Bytes of the extension's data.
  static let byteCount = 24

  /// Decodes and checks the extension (QEMU's texts).
  init(decoding data: [UInt8], geometry: ClusterGeometry) throws(Qcow2Error) {
    guard data.count == Self.byteCount else {
      throw .malformed("bitmaps_ext: Invalid extension length")
    }
    count = data.span.bytes.bigEndian(UInt32.self, at: 0)
    guard data.span.bytes.bigEndian(UInt32.self, at: 4) == 0 else {
      throw .malformed("bitmaps_ext: Reserved field is not zero")
    }
    directoryByteCount = data.span.bytes.bigEndian(UInt64.self, at: 8)
    directoryOffset = HostOffset(data.span.bytes.bigEndian(UInt64.self, at: 16))
    guard count > 0 else { throw .malformed("found bitmaps extension with zero bitmaps") }
    guard count <= BitmapLimits.count else {
      throw .overLimit("bitmaps_ext: image has \(count) bitmaps, exceeding the maximum of 65535")
    }
    guard geometry.isAligned(directoryOffset), directoryOffset.bytes <= Limits.hostOffset else {
      throw .malformed("bitmaps_ext: invalid bitmap directory offset", at: directoryOffset.bytes)
    }
    guard directoryByteCount <= BitmapLimits.directoryByteCount else {
      throw .overLimit("bitmaps_ext: bitmap directory size exceeds the maximum")
    }
  }

  /// Describes a directory that was written.
  init(count: Int, directoryByteCount: Int, directoryOffset: HostOffset) {
    self.count = UInt32(count)
    self.directoryByteCount = UInt64(directoryByteCount)
    self.directoryOffset = directoryOffset
  }

  /// The extension's data.
  var encoded: [UInt8] {
    var writer = ByteWriter(capacity: Self.byteCount)
    writer.append(count)
    writer.append(UInt32(0))
    writer.append(directoryByteCount)
    writer.append(directoryOffset.bytes)
    return writer.bytes
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

  /// Where the directory was of bitmaps that another program has outdated; nil if there are none, or
  /// nobody can tell. Its clusters may hold something else by now.
  var outdatedBitmapsExtension: BitmapsExtension? {
    guard header.version >= 3, !header.autoclear.contains(.bitmaps),
      let data = ext(HeaderExtension.bitmaps)?.data
    else { return nil }
    return try? BitmapsExtension(decoding: data, geometry: header.geometry)
  }
}
