internal import DeviceState
internal import Jobs

/// A machine's UUID as text and as the 16 bytes of a stream.
enum UUIDText {
  /// The bytes of a text of 32 hexadecimal digits, with or without hyphens.
  static func bytes(of text: String) throws(JobError) -> [UInt8] {
    let digits = text.filter { $0 != "-" }.compactMap(\.hexDigitValue)
    guard digits.count == 32 else { throw JobError(.usage, "'\(text)' is no UUID") }
    return (0..<16).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) }
  }

  /// The text of bytes, as QEMU writes it.
  static func text(of bytes: [UInt8]) -> String {
    var text = ""
    for (index, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(index) { text += "-" }
      text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return text
  }

  /// Checks the UUID of a stream, if both sides tell one.
  ///
  /// - Throws: `JobError` (refused) with QEMU's text.
  static func check(_ configuration: Configuration, is own: String?) throws(JobError) {
    guard let own else { return }
    for case .uuid(let bytes) in configuration.subsections {
      guard try Self.bytes(of: own) != bytes else { continue }
      throw JobError(
        .refused, "UUID received is \(text(of: bytes)) and local is \(own)")
    }
  }
}
