/// A run of the disk that is mapped in one way; with extended L2 entries it may begin and end at any
/// subcluster.
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
  /// The run of equally mapped bytes that begins at an offset, at most this long.
  ///
  /// Unallocated ranges without tables are passed over at once, however large they are.
  ///
  /// - Parameters:
  ///   - offset: in bytes, below the disk's size.
  ///   - byteCount: at least 1; the run ends at the disk's end at the latest.
  /// - Returns: the run.
  /// - Throws: `Qcow2Error` if the table for the first byte cannot be read or its entry is not valid.
  public mutating func extent(
    at offset: UInt64, atMost byteCount: UInt64
  ) throws(Qcow2Error) -> GuestExtent {
    let limit = byteCount < size - offset ? offset + byteCount : size
    let (mapping, first) = try placedMapping(at: GuestOffset(offset))
    let kind = GuestExtent.Kind(mapping)
    var end = first < limit - offset ? offset + first : limit
    // What cannot be mapped ends the run; whoever asks for it next is told.
    while end < limit, let (mapping, byteCount) = try? self.mapping(at: GuestOffset(end)),
      GuestExtent.Kind(mapping) == kind
    {
      end = byteCount < limit - end ? end + byteCount : limit
    }
    return GuestExtent(range: offset..<end, kind: kind)
  }
}

extension GuestExtent.Kind {
  fileprivate init(_ mapping: ClusterMapping) {
    self =
      switch mapping {
      case .unallocated: .unallocated
      case .zero: .zero
      case .data: .data
      case .compressed: .compressed
      }
  }
}
