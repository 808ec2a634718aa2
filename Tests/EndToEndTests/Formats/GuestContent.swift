import Glibc
import Qcow2

/// All bytes of a disk, or of a file, as somebody read them.
struct GuestContent: Equatable, Sendable {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reads a file.
  init(ofFile path: String) throws {
    let file = try PosixFile(opening: path, .read)
    self.init(try file.read(byteCount: Int(file.length()), at: 0))
  }

  /// Reads a disk's state with snapjob's reader.
  init(readBy reader: inout GuestReader) throws {
    var bytes = [UInt8](repeating: 0, count: Int(reader.size))
    try bytes.withUnsafeMutableBytes { try reader.read(into: $0, at: 0) }
    self.init(bytes)
  }

  /// The first bytes.
  func prefix(_ byteCount: Int) -> GuestContent {
    byteCount == bytes.count ? self : GuestContent(Array(bytes.prefix(byteCount)))
  }

  /// Fast in builds without optimization too.
  static func == (left: GuestContent, right: GuestContent) -> Bool {
    left.bytes.count == right.bytes.count
      && left.bytes.withUnsafeBytes { leftBytes in
        right.bytes.withUnsafeBytes { rightBytes in
          guard let first = leftBytes.baseAddress, let second = rightBytes.baseAddress else {
            return true
          }
          return memcmp(first, second, leftBytes.count) == 0
        }
      }
  }
}
