extension RawSpan {
  /// The big-endian integer at an offset: one load behind one bounds check.
  ///
  /// - Precondition: the integer lies inside the span; for offsets that come from outside use
  ///   ``ByteReader``.
  @inlinable
  public func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type, at byteOffset: Int
  ) -> T {
    // `unsafeLoadUnaligned` checks the bounds; it is unsafe only for types with invalid bit patterns.
    T(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: byteOffset, as: T.self))
  }
}

extension MutableRawSpan {
  /// Stores an integer as big-endian at an offset.
  ///
  /// - Precondition: the integer lies inside the span.
  @inlinable
  public mutating func storeBigEndian<T: FixedWidthInteger & BitwiseCopyable>(
    _ value: T, at byteOffset: Int
  ) {
    storeBytes(of: value.bigEndian, toByteOffset: byteOffset, as: T.self)
  }
}

/// Turns big-endian words into the machine's order, or back, in place.
@inlinable
public func swapBigEndian<T: FixedWidthInteger>(_ words: inout [T]) {
  guard T(1).bigEndian != 1 else { return }
  for index in words.indices { words[index] = words[index].byteSwapped }
}
