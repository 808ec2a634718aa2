import Synchronization

/// Bytes that were received and are not a whole line yet.
final class PendingBytes: Sendable {
  private let bytes = Mutex<[UInt8]>([])

  func append(_ more: ArraySlice<UInt8>) { bytes.withLock { $0 += more } }

  /// The next line without its CRLF.
  func takeLine() -> String? {
    bytes.withLock { bytes in
      guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
      let line = bytes[..<end]
      let text = String(
        decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
      bytes.removeSubrange(...end)
      return text
    }
  }
}
