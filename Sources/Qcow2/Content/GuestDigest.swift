extension GuestReader {
  /// Bytes that are read at once.
  static var chunkByteCount: Int { 1 << 20 }

  /// The SHA-256 of the whole disk as the guest sees it, as 64 hexadecimal digits: what `sha256sum`
  /// prints for a raw copy.
  ///
  /// Ranges without data are hashed as zeros and not read.
  ///
  /// - Parameter checkpoint: told the bytes of the disk that were hashed; what it throws ends the work.
  /// - Returns: the digits.
  /// - Throws: ``Qcow2Error`` as ``read(into:at:)``; what the checkpoint throws.
  public mutating func digest(_ checkpoint: Checkpoint = { _ in }) throws -> String {
    var hash = ContentHash()
    var buffer = [UInt8](repeating: 0, count: Self.chunkByteCount)
    var offset: UInt64 = 0
    while offset < size {
      let extent = try extent(at: offset, atMost: UInt64(buffer.count))
      try hashContent(of: extent, into: &hash, &buffer)
      try checkpoint(Int64(extent.range.upperBound - offset))
      offset = extent.range.upperBound
    }
    return hash.finish()
  }

  /// Goes on hashing with what a run of the disk contains.
  ///
  /// - Parameters:
  ///   - extent: not longer than the buffer, if it has data.
  ///   - hash: goes on.
  ///   - buffer: what is read goes here.
  /// - Throws: ``Qcow2Error`` as ``read(into:at:)``.
  private mutating func hashContent(
    of extent: GuestExtent, into hash: inout ContentHash, _ buffer: inout [UInt8]
  ) throws(Qcow2Error) {
    if extent.kind == .zero || (extent.kind == .unallocated && !hasBackingFile) {
      hash.update(zeros: extent.range.upperBound - extent.range.lowerBound)
      return
    }
    var span = buffer.mutableSpan
    try span.withUnsafeMutableBytes { (bytes) throws(Qcow2Error) in
      let part = UnsafeMutableRawBufferPointer(rebasing: bytes[..<extent.range.count])
      try read(into: part, at: extent.range.lowerBound)
      hash.update(UnsafeRawBufferPointer(part))
    }
  }
}
