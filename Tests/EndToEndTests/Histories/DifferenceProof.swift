import Glibc
import Qcow2
import TestOracles

/// A state in an image's history.
struct HistoryPoint {
  let state: DiskState
  /// What the guest sees.
  let content: GuestContent
  /// What the tables say of each cluster.
  let mapping: [(entry: UInt64, bits: UInt64)]
}

extension RawTables {
  /// What the tables say of each cluster of a state with this content.
  func mapping(
    of tag: String?, in content: GuestContent
  ) throws -> [(entry: UInt64, bits: UInt64)] {
    try mapping(of: tag, count: (content.bytes.count + clusterSize - 1) / clusterSize)
  }
}

/// Whether ranges name all that differs between two states, and nothing that is mapped alike.
struct DifferenceProof {
  private let old: HistoryPoint
  private let new: HistoryPoint
  private let clusterSize: Int
  private let subclusterCount: Int
  /// Bytes of the disk that both have.
  private let commonSize: Int

  init(_ old: HistoryPoint, _ new: HistoryPoint, _ tables: RawTables) {
    self.old = old
    self.new = new
    clusterSize = tables.clusterSize
    subclusterCount = tables.hasSubclusters ? 32 : 1
    commonSize = min(old.content.bytes.count, new.content.bytes.count)
  }

  /// A cluster, or a subcluster where there are those.
  private var unit: Int { clusterSize / subclusterCount }

  /// Throws what is missing, or too much.
  ///
  /// - Parameter ranges: what snapjob names.
  /// - Throws: ``OracleError``.
  func check(_ ranges: [Range<UInt64>]) throws(OracleError) {
    let names = try namedUnits(ranges)
    for index in names.indices {
      let bytes = index * unit..<min((index + 1) * unit, commonSize)
      if isEqual(bytes) {
        guard names[index], isMappedAlike(index) else { continue }
        throw OracleError("\(bytes) is named, and neither bytes nor mapping differ: \(ranges)")
      } else if !names[index] {
        throw OracleError("\(bytes) differs and is not named: \(ranges)")
      }
    }
    let size = max(old.content.bytes.count, new.content.bytes.count)
    if size > commonSize {
      let rest = UInt64(commonSize)..<UInt64(size)
      guard ranges.contains(where: { $0.contains(rest) }) else {
        throw OracleError("\(rest) is in one of the states only and is not named: \(ranges)")
      }
    }
    if let last = ranges.last, last.upperBound > size {
      throw OracleError("\(last) reaches beyond the disk's end at \(size)")
    }
  }

  /// Whether each unit is named; one that is named in part is an error.
  private func namedUnits(_ ranges: [Range<UInt64>]) throws(OracleError) -> [Bool] {
    var names = [Bool](repeating: false, count: (commonSize + unit - 1) / unit)
    for range in ranges {
      let (start, end) = (Int(range.lowerBound), min(Int(range.upperBound), commonSize))
      guard start < end else { continue }
      guard start % unit == 0, end % unit == 0 || end == commonSize else {
        throw OracleError("\(range) names a part of a cluster: \(ranges)")
      }
      for index in start / unit..<(end + unit - 1) / unit { names[index] = true }
    }
    return names
  }

  private func isEqual(_ range: Range<Int>) -> Bool {
    old.content.bytes.withUnsafeBytes { oldBytes in
      new.content.bytes.withUnsafeBytes { newBytes in
        guard let first = oldBytes.baseAddress, let second = newBytes.baseAddress else {
          return true
        }
        return memcmp(first + range.lowerBound, second + range.lowerBound, range.count) == 0
      }
    }
  }

  /// Whether both trees say the same of a cluster or subcluster.
  private func isMappedAlike(_ index: Int) -> Bool {
    place(old.mapping[index / subclusterCount], index % subclusterCount)
      == place(new.mapping[index / subclusterCount], index % subclusterCount)
  }

  /// Where a subcluster's content is: nowhere, in a zero bit, or at a host offset.
  private func place(_ mapping: (entry: UInt64, bits: UInt64), _ subcluster: Int) -> [UInt64] {
    guard subclusterCount > 1, mapping.entry & RawTables.compressed == 0 else {
      return [mapping.entry]
    }
    if mapping.bits >> UInt64(32 + subcluster) & 1 == 1 { return [1] }
    return mapping.bits >> UInt64(subcluster) & 1 == 1 ? [mapping.entry] : [0]
  }
}

extension Range<UInt64> {
  fileprivate func contains(_ other: Range<UInt64>) -> Bool {
    lowerBound <= other.lowerBound && other.upperBound <= upperBound
  }
}
