/// Reads big-endian values one after another from bytes that nobody has checked yet.
///
/// Every read is bounds-checked; running past the end throws and leaves the position unchanged.
public struct ByteReader: Sendable {
  /// The bytes being read.
  public let bytes: [UInt8]
  /// The position of the next read, in bytes from the start.
  public private(set) var position: Int

  /// Starts reading at a position.
  ///
  /// - Parameters:
  ///   - bytes: what to read from.
  ///   - position: the first byte to read; clamped to the bytes there are.
  public init(_ bytes: [UInt8], position: Int = 0) {
    self.bytes = bytes
    self.position = min(max(position, 0), bytes.count)
  }

  /// Bytes left.
  public var remaining: Int { bytes.count - position }

  /// Reads one integer.
  public mutating func read<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type = T.self
  ) throws(ByteCodingError) -> T {
    let size = MemoryLayout<T>.size
    guard size <= remaining else {
      throw ByteCodingError(position: position, wanted: size, available: remaining)
    }
    defer { position += size }
    return unsafe bytes.span.bytes.bigEndian(T.self, at: position)
  }

  /// Reads a number of bytes.
  public mutating func read(byteCount: Int) throws(ByteCodingError) -> [UInt8] {
    guard byteCount >= 0, byteCount <= remaining else {
      throw ByteCodingError(position: position, wanted: byteCount, available: remaining)
    }
    defer { position += byteCount }
    return Array(bytes[position..<position + byteCount])
  }

  /// Passes over a number of bytes.
  public mutating func skip(byteCount: Int) throws(ByteCodingError) {
    guard byteCount >= 0, byteCount <= remaining else {
      throw ByteCodingError(position: position, wanted: byteCount, available: remaining)
    }
    position += byteCount
  }
}

/// A read past the end of the bytes.
public struct ByteCodingError: Error, Sendable, Hashable {
  /// Where the read began.
  public let position: Int
  /// Bytes wanted.
  public let wanted: Int
  /// Bytes there were.
  public let available: Int

  /// Makes an error.
  public init(position: Int, wanted: Int, available: Int) {
    self.position = position
    self.wanted = wanted
    self.available = available
  }
}
