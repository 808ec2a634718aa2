/// A run of the disk whose clusters are all mapped in the same way.
public struct GuestExtent: Sendable, Hashable {
  /// How clusters are mapped.
  public enum Kind: Sendable, Hashable {
    /// From the backing file; zeros where there is none.
    case unallocated
    /// Zeros by the zero flag.
    case zero
    /// Stored as they are.
    case data
    /// Stored compressed.
    case compressed
  }

  /// Bytes from the start of the disk.
  public let range: Range<UInt64>
  /// How its clusters are mapped.
  public let kind: Kind
}

extension GuestReader {
  /// The run of equally mapped clusters that begins at an offset, at most this long.
  ///
  /// - Parameters:
  ///   - offset: a multiple of the cluster size, below the disk's size.
  ///   - byteCount: at least 1; the run ends at the disk's end at the latest.
  /// - Returns: the run.
  /// - Throws: `Qcow2Error` if a table cannot be read or is damaged.
  public mutating func extent(
    at offset: UInt64, atMost byteCount: UInt64
  ) throws(Qcow2Error) -> GuestExtent {
    let clusterSize = UInt64(clusterSize)
    let limit = byteCount < size - offset ? offset + byteCount : size
    let kind = try kind(at: offset)
    var end = min(offset + clusterSize, limit)
    while end < limit, try self.kind(at: end) == kind { end = min(end + clusterSize, limit) }
    return GuestExtent(range: offset..<end, kind: kind)
  }

  private mutating func kind(at offset: UInt64) throws(Qcow2Error) -> GuestExtent.Kind {
    switch try mapping(at: GuestOffset(offset)) {
    case .unallocated: .unallocated
    case .zero: .zero
    case .data: .data
    case .compressed: .compressed
    }
  }
}
