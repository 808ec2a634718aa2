/// The id of one commit: 16 random bytes, kept in the first sector of each image that it changed.
public struct CommitID: Hashable, Sendable, CustomStringConvertible {
  /// The bytes.
  public let bytes: [UInt8]

  /// Number of bytes on disk.
  public static let byteCount = 16

  /// A fresh random id.
  public init() { bytes = (0..<Self.byteCount).map { _ in UInt8.random(in: .min ... .max) } }

  /// An id with these bytes; nil unless there are 16, not all zero.
  public init?(bytes: [UInt8]) {
    guard bytes.count == Self.byteCount, bytes.contains(where: { $0 != 0 }) else { return nil }
    self.bytes = bytes
  }

  /// 32 hexadecimal digits.
  public var description: String { hexadecimal(bytes) }
}

/// The id of one catalog: 16 random bytes, kept in the first sector beside the commit id, so that an
/// image can say which catalog knows of it.
public struct CatalogID: Hashable, Sendable, CustomStringConvertible {
  /// The bytes.
  public let bytes: [UInt8]

  /// A fresh random id.
  public init() { bytes = CommitID().bytes }

  /// An id with these bytes; nil unless there are 16, not all zero.
  public init?(bytes: [UInt8]) {
    guard bytes.count == CommitID.byteCount, bytes.contains(where: { $0 != 0 }) else { return nil }
    self.bytes = bytes
  }

  /// 32 hexadecimal digits.
  public var description: String { hexadecimal(bytes) }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef")
  return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
