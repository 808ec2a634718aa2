/// The bits of L1 and L2 entries (qcow2 specification, "Cluster mapping").
enum TableEntry {
  /// Bit 63: the cluster pointed to has refcount 1 and may be written in place. Means something in the
  /// active tables only.
  static let copied: UInt64 = 1 << 63
  /// Bit 62 of an L2 entry: the cluster is compressed.
  static let compressed: UInt64 = 1 << 62
  /// Bit 0 of a standard L2 entry (version 3): the cluster reads as zeros.
  static let zero: UInt64 = 1
  /// Bits 9 to 55: a host offset.
  static let offsetMask: UInt64 = 0x00ff_ffff_ffff_fe00
  /// What must be zero in an L1 entry.
  static let l1ReservedMask: UInt64 = 0x7f00_0000_0000_01ff
  /// What must be zero in an L2 entry of an uncompressed cluster.
  static let l2ReservedMask: UInt64 = 0x3f00_0000_0000_01fe
}

/// What an L2 entry says of one guest cluster.
enum ClusterMapping: Sendable, Hashable {
  /// Comes from the backing file, or reads as zeros.
  case unallocated
  /// Reads as zeros; a host cluster may be reserved for it.
  case zero(HostOffset?)
  /// Stored as it is.
  case data(HostOffset)
  /// Stored compressed from this byte on, in at most this many bytes.
  case compressed(HostOffset, byteCount: Int)

  /// Decodes the first word of an L2 entry; reserved bits are the caller's to check.
  init(_ entry: UInt64, _ geometry: ClusterGeometry) {
    if entry & TableEntry.compressed != 0 {
      let (offset, byteCount) = Self.compressedExtent(entry, geometry)
      self = .compressed(offset, byteCount: byteCount)
      return
    }
    let offset = entry & TableEntry.offsetMask
    if entry & TableEntry.zero != 0, !geometry.hasExtendedL2 {
      self = .zero(offset == 0 ? nil : HostOffset(offset))
    } else {
      self = offset == 0 ? .unallocated : .data(HostOffset(offset))
    }
  }

  /// Where a compressed cluster's bytes lie: the offset takes `62 - (cluster_bits - 8)` bits, the rest
  /// counts the 512-byte sectors behind the first.
  static func compressedExtent(
    _ entry: UInt64, _ geometry: ClusterGeometry
  ) -> (HostOffset, byteCount: Int) {
    let offsetBits = UInt64(62 - (geometry.clusterBits - 8))
    let offset = entry & ((1 << offsetBits) - 1)
    let moreSectors = (entry & (TableEntry.compressed - 1)) >> offsetBits
    return (HostOffset(offset), byteCount: Int((moreSectors + 1) * 512 - offset % 512))
  }
}
