internal import ByteCoding

/// Refcount blocks to and from numbers, for every width (qcow2 specification, "Refcounts").
///
/// Widths below 8 bits are packed from the least significant bit of a byte on; wider ones are
/// big-endian.
enum RefcountBlockCoding {
  /// Decodes one block's bytes.
  ///
  /// - Throws: ``Qcow2Error`` (corrupt) for a count that no image can reach.
  static func decode(_ bytes: ArraySlice<UInt8>, order: Int) throws(Qcow2Error) -> [UInt32] {
    let count = (bytes.count * 8) >> order
    var counts = [UInt32](repeating: 0, count: count)
    let span = bytes.span.bytes
    switch order {
    case 0..<3:
      let perByte = 8 >> order
      let mask = UInt8((1 << (1 << order)) - 1)
      for index in 0..<count {
        let byte = span.bigEndian(UInt8.self, at: index / perByte)
        counts[index] = UInt32(byte >> UInt8((index % perByte) << order) & mask)
      }
    case 3:
      for index in 0..<count { counts[index] = UInt32(span.bigEndian(UInt8.self, at: index)) }
    case 4:
      for index in 0..<count { counts[index] = UInt32(span.bigEndian(UInt16.self, at: index * 2)) }
    case 5:
      for index in 0..<count {
        counts[index] = try checked(UInt64(span.bigEndian(UInt32.self, at: index * 4)))
      }
    default:
      for index in 0..<count {
        counts[index] = try checked(span.bigEndian(UInt64.self, at: index * 8))
      }
    }
    return counts
  }

  private static func checked(_ count: UInt64) throws(Qcow2Error) -> UInt32 {
    guard count <= Limits.refcount else {
      throw .corrupt("a cluster has \(count) references, which cannot be right")
    }
    return UInt32(count)
  }

  /// Encodes counts that fit the width.
  static func encode(_ counts: [UInt32], order: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: (counts.count << order) >> 3)
    switch order {
    case 0..<3:
      let perByte = 8 >> order
      for (index, count) in counts.enumerated() {
        bytes[index / perByte] |=
          UInt8(truncatingIfNeeded: count) << UInt8((index % perByte) << order)
      }
    case 3:
      for (index, count) in counts.enumerated() { bytes[index] = UInt8(truncatingIfNeeded: count) }
    default:
      var span = bytes.mutableSpan
      var raw = span.mutableBytes
      switch order {
      case 4:
        for index in counts.indices {
          raw.storeBigEndian(UInt16(truncatingIfNeeded: counts[index]), at: index * 2)
        }
      case 5:
        for index in counts.indices { raw.storeBigEndian(counts[index], at: index * 4) }
      default:
        for index in counts.indices { raw.storeBigEndian(UInt64(counts[index]), at: index * 8) }
      }
    }
    return bytes
  }
}
