/// What one L2 entry says of a guest cluster, checked: reserved bits are zero, offsets aligned, and the
/// bits of subclusters do not contradict each other (qcow2 specification, "Cluster mapping").
struct L2Entry: Sendable, Hashable {
  /// The first word: kind and place.
  let word: UInt64
  /// The second word of an extended entry: bits 0 to 31 say which subclusters are stored, bits 32 to 63
  /// which read as zeros. 0 in a standard entry.
  let subclusters: UInt64
  private let geometry: ClusterGeometry

  /// The second word of an extended entry whose cluster is stored wholly.
  static let allSubclustersStored: UInt64 = 0xffff_ffff

  /// Takes an entry out of an L2 table.
  ///
  /// - Parameters:
  ///   - index: the entry's number in the table.
  ///   - table: the words of the table.
  ///   - header: of the image.
  /// - Throws: ``Qcow2Error`` (corrupt, without a place) if no valid image has such an entry.
  init(_ index: Int, of table: ArraySlice<UInt64>, _ header: Header) throws(Qcow2Error) {
    geometry = header.geometry
    let position = table.startIndex + index * geometry.l2EntryWords
    word = table[position]
    subclusters = geometry.hasExtendedL2 ? table[position + 1] : 0
    if let problem = problem(version: header.version) {
      throw .corrupt("an L2 entry is not valid: \(problem)")
    }
  }

  /// What no valid entry has; nil for a valid one.
  private func problem(version: UInt32) -> String? {
    if word & TableEntry.compressed != 0 {
      return subclusters == 0 ? nil : "a compressed cluster has subclusters"
    }
    if word & TableEntry.l2ReservedMask != 0 { return "reserved bits are set" }
    let offset = word & TableEntry.offsetMask
    if !geometry.isAligned(HostOffset(offset)) { return "the cluster is not aligned" }
    if version < 3, word & TableEntry.zero != 0 { return "version 2 has no zero clusters" }
    if (subclusters >> 32) & subclusters & 0xffff_ffff != 0 {
      return "a subcluster is both stored and zeros"
    }
    if offset == 0, subclusters & 0xffff_ffff != 0 {
      return "subclusters are stored without a cluster"
    }
    return nil
  }

  /// How a subcluster is mapped; host offsets are those of the whole cluster.
  ///
  /// - Parameter index: its number in the cluster; 0 where the image has no subclusters.
  /// - Returns: the mapping.
  func mapping(ofSubcluster index: Int) -> ClusterMapping {
    let mapping = ClusterMapping(word, geometry)
    guard geometry.hasExtendedL2, word & TableEntry.compressed == 0 else { return mapping }
    let bit = UInt64(1) << UInt64(index)
    let offset = word & TableEntry.offsetMask
    if subclusters & (bit << 32) != 0 { return .zero(offset == 0 ? nil : HostOffset(offset)) }
    return subclusters & bit != 0 ? mapping : .unallocated
  }

  /// How many subclusters from this one on are mapped in the same way.
  func runLength(fromSubcluster index: Int) -> Int {
    let count = geometry.subclusterCount
    guard word & TableEntry.compressed == 0 else { return count - index }
    let mapping = mapping(ofSubcluster: index)
    var end = index + 1
    while end < count, self.mapping(ofSubcluster: end) == mapping { end += 1 }
    return end - index
  }
}
