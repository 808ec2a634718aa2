import TestOracles

/// Reads what a qcow2 image holds by the format's description alone, without the engine: the states of the guest's
/// disk and the persistent bitmaps. For images without compression, backing file, encryption and subclusters.
struct IndependentReader {
  /// A persistent bitmap.
  struct Bitmap: Sendable, Hashable {
    let flags: Int
    let granularityBits: Int
    var bits: [UInt8]
  }

  /// What does not belong into such an image.
  private struct Malformed: Error { let what: String }

  private static let offsetMask: UInt64 = 0x00ff_ffff_ffff_fe00
  private static let bitmapsExtension = 0x2385_2875

  private let file: FileContent
  private let version: Int
  private let clusterBits: Int
  private let headerByteCount: Int
  let diskSize: Int

  private var clusterSize: Int { 1 << clusterBits }

  init(_ file: FileContent) throws {
    self.file = file
    guard file.bytes(at: 0, count: 4) == Array("QFI".utf8) + [0xfb] else {
      throw Malformed(what: "magic")
    }
    version = Self.number(file, at: 4, count: 4)
    clusterBits = Self.number(file, at: 20, count: 4)
    diskSize = Self.number(file, at: 24, count: 8)
    headerByteCount = version == 2 ? 72 : Self.number(file, at: 100, count: 4)
    guard version == 2 || version == 3, (9...21).contains(clusterBits), diskSize <= 1 << 30,
      (72...4096).contains(headerByteCount)
    else { throw Malformed(what: "header") }
  }

  /// The guest's disk now.
  func active() throws -> FileContent {
    try content(
      l1Offset: Self.number(file, at: 40, count: 8), l1Size: Self.number(file, at: 36, count: 4),
      size: diskSize)
  }

  /// The guest's disk in each snapshot, and the bytes of its device state, by name.
  func snapshots() throws -> [String: (disk: FileContent, stateByteCount: Int)] {
    var snapshots: [String: (disk: FileContent, stateByteCount: Int)] = [:]
    var place = Self.number(file, at: 64, count: 8)
    let count = Self.number(file, at: 60, count: 4)
    guard count <= 1000 else { throw Malformed(what: "snapshot count") }
    for _ in 0..<count {
      let number = { Self.number(file, at: place + $0, count: $1) }
      let (idSize, nameSize, extraSize) = (number(12, 2), number(14, 2), number(36, 4))
      guard extraSize <= 1024 else { throw Malformed(what: "snapshot entry") }
      let name = file.bytes(at: place + 40 + extraSize + idSize, count: nameSize)
      let content = try content(
        l1Offset: number(0, 8), l1Size: number(8, 4),
        size: extraSize >= 16 ? number(48, 8) : diskSize)
      let stateByteCount = extraSize >= 8 ? number(40, 8) : number(32, 4)
      let old = snapshots.updateValue(
        (content, stateByteCount), forKey: String(decoding: name, as: UTF8.self))
      if old != nil { throw Malformed(what: "two snapshots of one name") }
      place += (40 + extraSize + idSize + nameSize + 7) / 8 * 8
    }
    return snapshots
  }

  /// The persistent bitmaps, by name; none where the image says that they are not to be trusted.
  func bitmaps() throws -> [String: Bitmap] {
    guard version == 3, Self.number(file, at: 88, count: 8) & 1 != 0 else { return [:] }
    var place = headerByteCount
    while place + 8 <= clusterSize {
      let type = Self.number(file, at: place, count: 4)
      let length = Self.number(file, at: place + 4, count: 4)
      if type == 0 { break }
      if type == Self.bitmapsExtension { return try bitmaps(extensionAt: place + 8) }
      place += 8 + (length + 7) / 8 * 8
    }
    return [:]
  }

  private func bitmaps(extensionAt place: Int) throws -> [String: Bitmap] {
    var bitmaps: [String: Bitmap] = [:]
    let count = Self.number(file, at: place, count: 4)
    var entry = Self.number(file, at: place + 16, count: 8)
    guard count <= 1000 else { throw Malformed(what: "bitmap count") }
    for _ in 0..<count {
      let number = { Self.number(file, at: entry + $0, count: $1) }
      let (nameSize, extraSize, granularityBits) = (number(18, 2), number(20, 4), number(17, 1))
      guard granularityBits < 32, extraSize <= 1024, number(8, 4) <= 1 << 16 else {
        throw Malformed(what: "bitmap entry")
      }
      let name = file.bytes(at: entry + 24 + extraSize, count: nameSize)
      let bitCount = (diskSize + (1 << granularityBits) - 1) >> granularityBits
      var bits: [UInt8] = []
      for index in 0..<number(8, 4) where bits.count < (bitCount + 7) / 8 {
        let word = UInt64(Self.number(file, at: number(0, 8) + index * 8, count: 8))
        let offset = word & Self.offsetMask
        bits +=
          offset != 0
          ? file.bytes(at: Int(offset), count: clusterSize)
          : [UInt8](repeating: word & 1 != 0 ? 0xff : 0, count: clusterSize)
      }
      bitmaps[String(decoding: name, as: UTF8.self)] = Bitmap(
        flags: number(12, 4), granularityBits: granularityBits,
        bits: Array(bits.prefix((bitCount + 7) / 8)))
      entry += (24 + extraSize + nameSize + 7) / 8 * 8
    }
    return bitmaps
  }

  private func content(l1Offset: Int, l1Size: Int, size: Int) throws -> FileContent {
    guard size <= 1 << 30 else { throw Malformed(what: "disk size") }
    var content = FileContent()
    let entriesPerTable = clusterSize / 8
    for cluster in 0..<(size + clusterSize - 1) / clusterSize {
      guard cluster / entriesPerTable < l1Size else { break }
      let l1Entry = Self.number(file, at: l1Offset + cluster / entriesPerTable * 8, count: 8)
      let table = Int(UInt64(bitPattern: Int64(l1Entry)) & Self.offsetMask)
      guard table != 0 else { continue }
      let entry = UInt64(
        bitPattern: Int64(Self.number(file, at: table + cluster % entriesPerTable * 8, count: 8)))
      guard entry & 1 << 62 == 0 else { throw Malformed(what: "a compressed cluster") }
      let offset = Int(entry & Self.offsetMask)
      let isZero = version == 3 && entry & 1 != 0
      guard offset != 0, !isZero else { continue }
      guard offset < file.byteCount else { throw Malformed(what: "a cluster behind the end") }
      content.copy(clusterSize, from: file, at: offset, to: cluster * clusterSize)
    }
    content.setLength(size)
    return content
  }

  private static func number(_ file: FileContent, at offset: Int, count: Int) -> Int {
    guard offset >= 0, offset < 1 << 40 else { return 0 }
    return Int(
      truncatingIfNeeded: file.bytes(at: offset, count: count).reduce(UInt64(0)) {
        $0 << 8 | UInt64($1)
      })
  }
}
