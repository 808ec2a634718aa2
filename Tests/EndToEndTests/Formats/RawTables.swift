import Qcow2
import TestOracles

/// The tables of an image file as the format's description has them, read and overwritten without the
/// engine's parsers.
struct RawTables {
  /// COPIED: the cluster has one reference only.
  static let copied = UInt64(1) << 63
  static let compressed = UInt64(1) << 62
  private static let offsetMask: UInt64 = 0x00ff_ffff_ffff_fe00

  private let file: PosixFile
  let clusterSize: Int
  private let refcountBits: Int
  private let entrySize: Int
  /// The disk's size in bytes.
  let diskSize: Int
  private let snapshotCount: Int
  private let snapshotsOffset: Int64
  private let refcountTableOffset: Int64
  private let l1Offset: Int64
  private let l1Size: Int

  init(_ path: String) throws {
    file = try PosixFile(opening: path, .readWrite)
    let header = try file.read(byteCount: 112, at: 0)
    let number = { (range: Range<Int>) in header[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
    clusterSize = 1 << Int(number(20..<24))
    let isVersion3 = number(4..<8) == 3
    refcountBits = isVersion3 ? 1 << Int(number(96..<100)) : 16
    entrySize = isVersion3 && number(72..<80) & 16 != 0 ? 16 : 8
    diskSize = Int(number(24..<32))
    snapshotCount = Int(number(60..<64))
    snapshotsOffset = Int64(number(64..<72))
    l1Size = Int(number(36..<40))
    l1Offset = Int64(number(40..<48))
    refcountTableOffset = Int64(number(48..<56))
  }

  /// Where the active entries of clusters with a place of their own are, and what they say.
  func standardEntries() throws -> [(place: Int64, entry: UInt64)] {
    var found: [(place: Int64, entry: UInt64)] = []
    for index in 0..<l1Size {
      let table = Int64(try number(at: l1Offset + Int64(index * 8)) & Self.offsetMask)
      guard table != 0 else { continue }
      let bytes = try file.read(byteCount: clusterSize, at: table)
      for start in stride(from: 0, to: clusterSize, by: entrySize) {
        let entry = Self.word(bytes, at: start)
        guard entry & Self.compressed == 0, entry & Self.offsetMask != 0 else { continue }
        found.append((table + Int64(start), entry))
      }
    }
    return found
  }

  /// Whether each cluster has 32 subclusters.
  var hasSubclusters: Bool { entrySize == 16 }

  /// What the L2 tables say of each guest cluster of a state: the entry without COPIED, and the
  /// subclusters' bits, which are 0 where there are none.
  ///
  /// - Parameters:
  ///   - tag: of a snapshot; nil for the active state.
  ///   - count: of clusters; where no table is, they have no place.
  /// - Returns: one pair for each cluster.
  /// - Throws: if the tables cannot be read.
  func mapping(of tag: String?, count: Int) throws -> [(entry: UInt64, bits: UInt64)] {
    let (offset, size) = try tag.map(l1Table) ?? (l1Offset, l1Size)
    var mapping: [(entry: UInt64, bits: UInt64)] = []
    for index in 0..<size where mapping.count < count {
      let table = Int64(try number(at: offset + Int64(index * 8)) & Self.offsetMask)
      let bytes =
        table == 0
        ? [UInt8](repeating: 0, count: clusterSize)
        : try file.readZeroPadded(byteCount: clusterSize, at: table)
      for start in stride(from: 0, to: clusterSize, by: entrySize) {
        let entry = Self.word(bytes, at: start)
        let bits = hasSubclusters ? Self.word(bytes, at: start + 8) : 0
        mapping.append((entry & ~Self.copied, bits))
      }
    }
    let missing = max(0, count - mapping.count)
    return Array(mapping.prefix(count)) + Array(repeating: (entry: 0, bits: 0), count: missing)
  }

  /// Where the L1 table of a snapshot is, and how many entries it has.
  private func l1Table(of tag: String) throws -> (offset: Int64, size: Int) {
    var place = snapshotsOffset
    for _ in 0..<snapshotCount {
      let entry = try file.read(byteCount: 40, at: place)
      let field = { (range: Range<Int>) in entry[range].reduce(0) { $0 << 8 | Int($1) } }
      let (idSize, nameSize, extraSize) = (field(12..<14), field(14..<16), field(36..<40))
      let name = try file.read(byteCount: nameSize, at: place + Int64(40 + extraSize + idSize))
      if name == Array(tag.utf8) { return (Int64(field(0..<8)), field(8..<12)) }
      place += Int64((40 + extraSize + idSize + nameSize + 7) / 8 * 8)
    }
    throw OracleError("the image has no snapshot '\(tag)'")
  }

  /// The host cluster that an entry leads to.
  func cluster(of entry: UInt64) -> Int { Int(entry & Self.offsetMask) / clusterSize }

  /// Overwrites a big-endian number.
  func write(_ number: UInt64, at offset: Int64) throws {
    try file.write((0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }, at: offset)
  }

  /// Overwrites the refcount of a cluster by 0 or 1.
  func setRefcount(of cluster: Int, to isUsed: Bool) throws {
    let perBlock = clusterSize * 8 / refcountBits
    let block = Int64(try number(at: refcountTableOffset + Int64(cluster / perBlock * 8)))
    guard block != 0 else { throw OracleError("no refcount block for cluster \(cluster)") }
    let bit = cluster % perBlock * refcountBits
    guard refcountBits < 8 else {
      let count = refcountBits / 8
      let bytes = [UInt8](repeating: 0, count: count - 1) + [isUsed ? 1 : 0]
      return try file.write(bytes, at: block + Int64(bit / 8))
    }
    // Narrow ones begin at a byte's lowest bit.
    let place = block + Int64(bit / 8)
    let mask = UInt8((1 << refcountBits) - 1) << UInt8(bit % 8)
    let old = try file.read(byteCount: 1, at: place)[0] & ~mask
    try file.write([isUsed ? old | 1 << UInt8(bit % 8) : old], at: place)
  }

  /// Lets the file grow by one whole cluster and returns its number.
  func appendCluster() throws -> Int {
    let cluster = (Int(try file.length()) + clusterSize - 1) / clusterSize
    try file.setLength(Int64((cluster + 1) * clusterSize))
    return cluster
  }

  private func number(at offset: Int64) throws -> UInt64 {
    try file.read(byteCount: 8, at: offset).reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func word(_ bytes: [UInt8], at index: Int) -> UInt64 {
    bytes.withUnsafeBytes {
      UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    }
  }
}
