/// Appends big-endian values to a growing run of bytes.
public struct ByteWriter: Sendable {
  /// What has been written.
  public private(set) var bytes: [UInt8] = []

  /// Starts empty.
  ///
  /// - Parameter capacity: bytes to make room for.
  public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// Appends one integer.
  public mutating func append<T: FixedWidthInteger>(_ value: T) {
    var rest = T.bitWidth
    while rest > 0 {
      rest -= 8
      bytes.append(UInt8(truncatingIfNeeded: value >> T(rest)))
    }
  }

  /// Appends bytes as they are.
  public mutating func append(_ more: [UInt8]) { bytes += more }

  /// Appends zeros up to the next multiple of `alignment`.
  public mutating func pad(toMultipleOf alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }
}
