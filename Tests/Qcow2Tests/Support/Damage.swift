import Testing

@testable import Qcow2

/// A way to damage an image, and a finding that it leads to.
struct Damage: Sendable, CustomTestStringConvertible {
  let name: String
  let exitCode: Int32
  /// The start of a message.
  let message: String
  let inflict: @Sendable (TestImage, MetadataMap) throws -> Void

  var testDescription: String { name }
  /// Whether the guest sees a table as if it were data.
  var makesMetadataContent: Bool { name.hasPrefix("data in") }

  init(
    _ name: String, _ exitCode: Int32, _ message: String,
    inflict: @escaping @Sendable (TestImage, MetadataMap) throws -> Void
  ) {
    self.name = name
    self.exitCode = exitCode
    self.message = message
    self.inflict = inflict
  }

  static let all: [Damage] = [
    Damage("a leaked cluster", 3, "Leaked cluster") { image, map in
      let cluster = Int(try image.length() >> 16) + 1
      try image.setLength(Int64(cluster + 1) << 16)
      try image.poke(UInt16(1), at: map.refcount(of: cluster))
    },
    Damage("a cluster counted too low", 2, "ERROR cluster 5 refcount=0 reference=1") { image, map in
      try image.poke(UInt16(0), at: map.refcount(of: 5))
    },
    Damage("a cluster counted too high", 2, "Leaked cluster 5 refcount=2 reference=1") {
      try $0.poke(UInt16(2), at: $1.refcount(of: 5))
    },
    Damage("a missing COPIED flag in L2", 2, "ERROR OFLAG_COPIED data cluster") { image, map in
      let place = map.activeL2s[0].lowerBound
      try image.poke(image.number(UInt64.self, at: place) & ~TableEntry.copied, at: place)
    },
    Damage("a missing COPIED flag in L1", 2, "ERROR OFLAG_COPIED L2 cluster: l1_index=0") {
      let place = $1.activeL1.lowerBound
      try $0.poke($0.number(UInt64.self, at: place) & ~TableEntry.copied, at: place)
    },
    Damage("an L2 entry behind the end", 2, "ERROR: counting reference for region exceeding") {
      try $0.poke(UInt64(1) << 40 | TableEntry.copied, at: $1.activeL2s[0].lowerBound)
    },
    Damage("an L1 entry behind the end", 2, "ERROR: counting reference for region exceeding") {
      try $0.poke(UInt64(1) << 40 | TableEntry.copied, at: $1.activeL1.lowerBound)
    },
    Damage("two entries for one cluster", 2, "ERROR cluster 5 refcount=1 reference=2") {
      try $0.poke(UInt64(5) << 16 | TableEntry.copied, at: $1.activeL2s[0].lowerBound + 8 * 100)
    },
    Damage("data in an L2 table", 2, "ERROR cluster 4 refcount=1 reference=2") { image, map in
      let table = map.activeL2s[0].lowerBound
      try image.poke(table | TableEntry.copied, at: table)
    },
    Damage("data in a refcount block", 2, "ERROR refcount block 0 refcount=2") { image, map in
      try image.poke(
        map.refcountBlocks[0].lowerBound | TableEntry.copied, at: map.activeL2s[0].lowerBound)
    },
    Damage("an unaligned data cluster", 2, "ERROR offset=") { image, map in
      let place = map.activeL2s[0].lowerBound
      try image.poke(image.number(UInt64.self, at: place) + 512, at: place)
    },
    Damage("an unaligned L2 table", 2, "ERROR l2_offset=") { image, map in
      let place = map.activeL1.lowerBound
      try image.poke(image.number(UInt64.self, at: place) + 1024, at: place)
    },
    Damage("reserved bits in L2", 2, "ERROR found l2 entry with reserved bits set") { image, map in
      let place = map.activeL2s[0].lowerBound
      try image.poke(image.number(UInt64.self, at: place) | 4, at: place)
    },
    Damage("reserved bits in L1", 2, "ERROR found L1 entry with reserved bits set") { image, map in
      let place = map.activeL1.lowerBound
      try image.poke(image.number(UInt64.self, at: place) | 1 << 60, at: place)
    },
    Damage("a refcount block that is not there", 2, "ERROR cluster 0 refcount=0 reference=1") {
      try $0.poke(UInt64(0), at: $1.refcountTable.lowerBound)
    },
    Damage("a refcount block behind the end", 2, "ERROR refcount block 0 is outside image") {
      try $0.poke(UInt64(1) << 40, at: $1.refcountTable.lowerBound)
    },
    Damage("one refcount block twice", 2, "ERROR refcount block 1 refcount=2") { image, map in
      try image.poke(map.refcountBlocks[0].lowerBound, at: map.refcountTable.upperBound)
    },
    Damage("reserved bits in the refcount table", 2, "ERROR refcount table entry 0 has reserved") {
      let place = $1.refcountTable.lowerBound
      try $0.poke($0.number(UInt64.self, at: place) | 1, at: place)
    },
    Damage("an unaligned refcount block", 1, "ERROR refcount block 0 is not cluster aligned") {
      let place = $1.refcountTable.lowerBound
      try $0.poke($0.number(UInt64.self, at: place) + 512, at: place)
    },
  ]
}
