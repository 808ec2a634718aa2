private import Crypto

/// The SHA-256 of a disk's content while it is worked out from its start to its end.
struct ContentHash {
  private var hash = SHA256()
  /// What ranges without data are hashed from.
  private static let zeros = [UInt8](repeating: 0, count: 1 << 20)

  /// Goes on with bytes.
  mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

  /// Goes on with zeros.
  mutating func update(zeros count: UInt64) {
    var left = count
    while left > 0 {
      let part = Int(min(left, UInt64(Self.zeros.count)))
      Self.zeros.withUnsafeBytes {
        hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<part]))
      }
      left -= UInt64(part)
    }
  }

  /// 64 hexadecimal digits: what `sha256sum` prints for a raw copy.
  func finish() -> String {
    hash.finalize().map { byte in
      let digits = String(byte, radix: 16)
      return byte < 16 ? "0" + digits : digits
    }.joined()
  }
}
