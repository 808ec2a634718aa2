import TestOracles
import Testing

/// What a repair has to mend.
enum Damage: CaseIterable {
  /// A cluster that nothing leads to is counted as used.
  case leak
  /// The first data cluster's COPIED flag is the opposite of what it was.
  case wrongFlag
  /// The first data cluster is counted as free.
  case countedAsFree
  /// A program has died, with its refcounts unwritten.
  case notClosed

  /// Does it.
  func apply(to image: FormattedImage) throws {
    if self == .notClosed {
      let part = image.format.diskSize / 16
      return try image.crash(after: [
        "write -P 20 \(7 * part) \(part)", "flush", "write -P 21 \(14 * part) \(part)",
      ])
    }
    let tables = try RawTables(image.path)
    let (place, entry) = try #require(try tables.standardEntries().first)
    switch self {
    case .leak: try tables.setRefcount(of: tables.appendCluster(), to: true)
    case .wrongFlag: try tables.write(entry ^ RawTables.copied, at: place)
    case .countedAsFree: try tables.setRefcount(of: tables.cluster(of: entry), to: false)
    case .notClosed: break
    }
  }
}
