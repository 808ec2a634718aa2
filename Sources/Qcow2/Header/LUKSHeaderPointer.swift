internal import ByteCoding

/// Where the LUKS header and its key material lie: the data of their header extension.
struct LUKSHeaderPointer: Sendable, Hashable {
  /// Bytes of the extension's data.
  static let byteCount = 16

  /// Byte 0: where the area begins.
  let offset: HostOffset
  /// Byte 8: bytes of the area.
  let byteCount: UInt64
}

extension HeaderArea {
  /// Where the LUKS header lies; nil if the image has none.
  ///
  /// - Throws: ``Qcow2Error`` (malformed, in QEMU's words).
  func luksHeader() throws(Qcow2Error) -> LUKSHeaderPointer? {
    guard let data = ext(HeaderExtension.luksHeader)?.data else { return nil }
    guard header.cryptMethod == 2 else {
      throw .malformed("CRYPTO header extension only expected with LUKS encryption method")
    }
    guard data.count == LUKSHeaderPointer.byteCount else {
      throw .malformed(
        "CRYPTO header extension size \(data.count), but expected size "
          + "\(LUKSHeaderPointer.byteCount)")
    }
    let offset = HostOffset(data.span.bytes.bigEndian(UInt64.self, at: 0))
    guard header.geometry.isAligned(offset) else {
      throw .malformed(
        "Encryption header offset '\(offset.bytes)' is not a multiple of cluster size "
          + "'\(header.geometry.clusterSize)'")
    }
    return LUKSHeaderPointer(
      offset: offset, byteCount: data.span.bytes.bigEndian(UInt64.self, at: 8))
  }
}
