extension StreamCursor {
  /// Bytes of magic and version.
  static let fileHeaderByteCount: UInt64 = 8
  /// `QEVM`.
  static let magic: UInt32 = 0x5145_564D
  /// The only version there is.
  static let version: UInt32 = 3

  /// Checks the first bytes of a stream, with QEMU's texts.
  mutating func readFileHeader() throws(StreamError) {
    guard let magic = try read(UInt32.self) else {
      throw StreamError(.notAStream, "Not a migration stream: it has \(end) bytes")
    }
    guard magic == Self.magic else {
      throw StreamError(
        .notAStream,
        "Not a migration stream, magic: \(String(magic, radix: 16)) != \(String(Self.magic, radix: 16))",
        at: 0)
    }
    guard let version = try read(UInt32.self) else { throw truncated(in: nil) }
    guard version == Self.version else {
      throw StreamError(
        .unsupported,
        version == 2
          ? "SaveVM v2 format is obsolete and no longer supported"
          : "Unsupported migration stream version, file version \(version) != \(Self.version)",
        at: 4)
    }
  }

  /// Reads how long the description is.
  mutating func readDescriptionByteCount() throws(StreamError) -> Int {
    let start = offset
    guard let count = try read(UInt32.self) else { throw truncated(in: "vmdesc") }
    guard count <= UInt32(StreamLimits.descriptionByteCount) else {
      throw StreamError(
        .overLimit,
        "a description of \(count) bytes; the limit is \(StreamLimits.descriptionByteCount)",
        at: start, section: "vmdesc")
    }
    return Int(count)
  }
}
