import CSQLiteRecorder

/// 128 bits that tell one content from another.
struct ContentKey: Sendable, Hashable {
  private var first: UInt64
  private var second: UInt64

  /// Of some bytes.
  init(of bytes: [UInt8]) {
    var hash: (UInt64, UInt64) = (0, 0)
    bytes.withUnsafeBytes { bytes in
      withUnsafeMutableBytes(of: &hash) {
        recorder_hash(
          bytes.baseAddress, bytes.count, $0.baseAddress?.assumingMemoryBound(to: UInt64.self))
      }
    }
    (first, second) = hash
  }

  /// Of a text.
  init(of text: String) { self.init(of: Array(text.utf8)) }

  /// Of a number.
  init(number: Int) {
    first = Self.mixed(UInt64(truncatingIfNeeded: number))
    second = Self.mixed(first ^ 0x5bd1_e995_9e37_79b9)
  }

  /// Adds one of several parts, whose order does not matter but whose places do.
  mutating func add(_ part: ContentKey, at place: Int) {
    let position = Self.mixed(UInt64(truncatingIfNeeded: place) &+ 0x632b_e59b_d9b4_e019)
    first &+= Self.mixed(part.first ^ position)
    second &+= Self.mixed(part.second &+ position)
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var value = value &+ 0x9e37_79b9_7f4a_7c15
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
