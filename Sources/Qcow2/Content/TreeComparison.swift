/// Compares two states of a disk by their L1 and L2 tables; guest data is not read.
///
/// What both trees point to is the same: equal L1 entries are not looked into, and equal L2 entries are
/// equal content. What they do not both point to may still have equal bytes.
struct TreeComparison {
  /// Two L2 tables that cover the same part of the disk; 0 for none.
  private struct Pair {
    let index: Int
    let old: UInt64
    let new: UInt64
  }

  private let image: Image
  private let geometry: ClusterGeometry
  private let hasBackingFile: Bool
  /// Bytes of the disk that both states have.
  private let commonSize: UInt64
  private let emptyTable: [UInt64]
  /// Tables that exist only in memory.
  private let newTables: [UInt64: [UInt64]]
  private let checkpoint: Checkpoint
  /// What may differ, ascending; neighbours are one range.
  private(set) var ranges: [Range<UInt64>] = []

  /// Compares.
  ///
  /// - Parameters:
  ///   - image: the image.
  ///   - old: a state.
  ///   - new: another.
  ///   - checkpoint: told the bytes of tables that were read; what it throws ends the work.
  ///   - foresee: told those that will be.
  /// - Throws: ``Qcow2Error`` if a table cannot be read or is damaged, or there are too many ranges.
  init(
    _ image: Image, from old: DiskTree, to new: DiskTree,
    _ checkpoint: @escaping Checkpoint = { _ in }, foresee: (Int64) -> Void = { _ in }
  ) throws {
    self.image = image
    self.checkpoint = checkpoint
    newTables = old.newTables.merging(new.newTables) { _, new in new }
    geometry = image.geometry
    hasBackingFile = image.area.backingFileName != nil
    commonSize = min(old.size, new.size)
    emptyTable = [UInt64](repeating: 0, count: image.clusterSize / 8)
    let pairs = pairs(old, new)
    foresee(Int64(pairs.count * 2) << Int64(geometry.clusterBits))
    let pairsAtOnce = max(1, PosixFile.batchByteCount / geometry.clusterSize)
    for first in stride(from: 0, to: pairs.count, by: pairsAtOnce) {
      try compare(pairs[first..<min(first + pairsAtOnce, pairs.count)])
    }
    if old.size != new.size { try append(commonSize..<max(old.size, new.size)) }
  }

  /// The tables that are not the same in both trees.
  private func pairs(_ old: DiskTree, _ new: DiskTree) -> [Pair] {
    // A disk's size can be wrong; what no table covers is the same in both.
    let count = min(
      geometry.l1EntryCount(diskSize: commonSize), UInt64(max(old.l1.count, new.l1.count)))
    return (0..<Int(count)).lazy
      .map { Pair(index: $0, old: old.table(at: $0), new: new.table(at: $0)) }
      .filter { $0.old != $0.new }
  }

  /// Reads all tables of some pairs, neighbours together, and compares pair by pair.
  private mutating func compare(_ pairs: ArraySlice<Pair>) throws {
    let offsets = Set(pairs.flatMap { [$0.old, $0.new] }).subtracting([0])
      .filter { newTables[$0] == nil }.sorted()
    var tables = newTables
    try image.file.readTables(offsets.map(HostOffset.init), geometry: geometry) {
      offset, words, range in tables[offset.bytes] = Array(words[range])
    }
    for pair in pairs {
      try compare(
        tables[pair.old] ?? emptyTable, tables[pair.new] ?? emptyTable,
        from: UInt64(pair.index) << UInt64(geometry.l2CoverageBits))
    }
    try checkpoint(Int64(pairs.count * 2) << Int64(geometry.clusterBits))
  }

  private mutating func compare(
    _ old: [UInt64], _ new: [UInt64], from start: UInt64
  ) throws(Qcow2Error) {
    let clusterSize = UInt64(geometry.clusterSize)
    let step = geometry.l2EntryWords
    for index in 0..<geometry.l2EntryCount {
      let offset = start + UInt64(index) * clusterSize
      guard offset < commonSize else { return }
      let (left, right) = (old[index * step], new[index * step])
      if geometry.hasExtendedL2 {
        let (leftBits, rightBits) = (old[index * step + 1], new[index * step + 1])
        try append(
          subclusters: try differing(left, leftBits, right, rightBits), ofClusterAt: offset)
      } else if try isDifferent(left, right) {
        try append(offset..<offset + clusterSize)
      }
    }
  }

  /// Whether two standard entries may lead to different bytes.
  private func isDifferent(_ left: UInt64, _ right: UInt64) throws(Qcow2Error) -> Bool {
    let (left, right) = (left & ~TableEntry.copied, right & ~TableEntry.copied)
    if left == right { return false }
    let (leftIsZero, rightIsZero) = (try readsAsZeros(left), try readsAsZeros(right))
    return !(leftIsZero && rightIsZero)
  }

  private func readsAsZeros(_ entry: UInt64) throws(Qcow2Error) -> Bool {
    try check(entry)
    return switch ClusterMapping(entry, geometry) {
    case .zero: true
    case .unallocated: !hasBackingFile
    case .data, .compressed: false
    }
  }

  private func check(_ entry: UInt64) throws(Qcow2Error) {
    guard entry & TableEntry.compressed == 0 else { return }
    guard entry & TableEntry.l2ReservedMask == 0,
      geometry.isAligned(HostOffset(entry & TableEntry.offsetMask))
    else {
      throw .corrupt(
        "an L2 entry is not valid", at: entry & TableEntry.offsetMask)
    }
  }

  // MARK: Subclusters

  /// The subclusters of an extended entry that may differ, one bit each.
  private func differing(
    _ left: UInt64, _ leftBits: UInt64, _ right: UInt64, _ rightBits: UInt64
  ) throws(Qcow2Error) -> UInt32 {
    let (left, right) = (left & ~TableEntry.copied, right & ~TableEntry.copied)
    if left == right, leftBits == rightBits { return 0 }
    if (left | right) & TableEntry.compressed != 0 { return .max }
    let (old, new) = (
      try Subclusters(left, leftBits, self), try Subclusters(right, rightBits, self)
    )
    let sameData = old.offset == new.offset ? old.data & new.data : 0
    return ~(sameData | old.zeros & new.zeros | old.unallocated & new.unallocated)
  }

  /// What the bitmap of an extended entry says, one bit for each subcluster.
  private struct Subclusters {
    let offset: UInt64
    let data: UInt32
    let zeros: UInt32
    let unallocated: UInt32

    init(_ entry: UInt64, _ bits: UInt64, _ comparison: TreeComparison) throws(Qcow2Error) {
      try comparison.check(entry)
      offset = entry & TableEntry.offsetMask
      data = UInt32(truncatingIfNeeded: bits)
      let zeroFlags = UInt32(truncatingIfNeeded: bits >> 32)
      guard data & zeroFlags == 0, offset != 0 || data == 0 else {
        throw .corrupt("the bitmap of an L2 entry is not valid", at: offset)
      }
      unallocated = ~(data | zeroFlags)
      zeros = comparison.hasBackingFile ? zeroFlags : ~data
    }
  }

  private mutating func append(
    subclusters: UInt32, ofClusterAt offset: UInt64
  ) throws(Qcow2Error) {
    guard subclusters != 0 else { return }
    let size = UInt64(geometry.clusterSize / UInt32.bitWidth)
    for index in 0..<UInt64(UInt32.bitWidth) where subclusters & (1 << UInt32(index)) != 0 {
      let start = offset + index * size
      guard start < commonSize else { return }
      try append(start..<start + size)
    }
  }

  // MARK: Ranges

  private mutating func append(_ range: Range<UInt64>) throws(Qcow2Error) {
    // The last cluster reaches beyond the end of the disk; what lies there nobody sees.
    let end = range.lowerBound < commonSize ? min(range.upperBound, commonSize) : range.upperBound
    if let last = ranges.last, last.upperBound == range.lowerBound {
      ranges[ranges.count - 1] = last.lowerBound..<end
      return
    }
    guard ranges.count < Limits.differenceCount else {
      throw .overLimit("more than \(Limits.differenceCount) separate ranges differ")
    }
    ranges.append(range.lowerBound..<end)
  }
}

extension Image {
  /// The ranges of the disk, in bytes, that may differ between two of its states.
  ///
  /// They are found by comparing tables: exact to the cluster, or to the subcluster where the image has
  /// those. If the sizes differ, what only one of the states has is a range. VM state is not looked at.
  ///
  /// - Parameters:
  ///   - old: a state.
  ///   - new: another.
  ///   - checkpoint: told the bytes of tables that were read; what it throws ends the work.
  ///   - foresee: told those that will be.
  /// - Returns: the ranges, ascending; no two of them touch.
  /// - Throws: ``Qcow2Error`` with the path if a table cannot be read or is damaged; what the checkpoint throws.
  public func differences(
    from old: DiskState, to new: DiskState, _ checkpoint: @escaping Checkpoint = { _ in },
    foresee: (Int64) -> Void = { _ in }
  ) throws -> [Range<UInt64>] {
    do {
      return try TreeComparison(
        self, from: DiskTree(old, of: self), to: DiskTree(new, of: self), checkpoint,
        foresee: foresee
      ).ranges
    } catch let error as Qcow2Error {
      throw error.in(path)
    }
  }

  /// The ranges of the disk that may differ between two trees.
  func differences(from old: DiskTree, to new: DiskTree) throws(Qcow2Error) -> [Range<UInt64>] {
    do {
      return try TreeComparison(self, from: old, to: new).ranges
    } catch let error as Qcow2Error {
      throw error.in(path)
    } catch {
      throw Qcow2Error(.io, "\(error)", path: path)
    }
  }
}
