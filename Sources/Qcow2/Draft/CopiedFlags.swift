/// The COPIED flags that new refcounts ask for: set on what has one reference, in the active state only.
struct CopiedFlags {
  private let refcounts: RefcountMap
  private let geometry: ClusterGeometry
  private let isActive: Bool

  /// Judges by a draft's refcounts.
  ///
  /// - Parameters:
  ///   - draft: settled.
  ///   - isActive: whether the tables belong to the active state.
  init(_ draft: ImageDraft, isActive: Bool) {
    refcounts = draft.refcounts
    geometry = draft.geometry
    self.isActive = isActive
  }

  /// An L1 entry, or an L2 entry of a cluster that is not compressed, with its flag corrected.
  func corrected(_ entry: UInt64) -> UInt64 {
    let offset = entry & TableEntry.offsetMask
    guard offset != 0 else { return entry }
    let isOnly = isActive && refcounts[geometry.cluster(at: HostOffset(offset))] == 1
    return isOnly ? entry | TableEntry.copied : entry & ~TableEntry.copied
  }

  /// Corrects an L2 table.
  ///
  /// - Returns: whether a flag was different.
  func correct(_ words: inout [UInt64], _ range: Range<Int>) -> Bool {
    var isChanged = false
    for index in stride(from: range.lowerBound, to: range.upperBound, by: geometry.l2EntryWords) {
      let entry = words[index]
      // Compressed clusters never have the flag.
      let isCompressed = entry & TableEntry.compressed != 0
      let wanted = isCompressed ? entry & ~TableEntry.copied : corrected(entry)
      if wanted != entry {
        words[index] = wanted
        isChanged = true
      }
    }
    return isChanged
  }
}
