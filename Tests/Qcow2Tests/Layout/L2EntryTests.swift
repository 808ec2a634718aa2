import Testing

@testable import Qcow2

@Suite struct L2EntryTests {
  /// A header of which the entries' rules depend: 64 KiB clusters.
  private func header(version: UInt32 = 3, isExtended: Bool) throws -> Header {
    var options = ["compat=\(version == 3 ? "1.1" : "0.10")"]
    if isExtended { options.append("extended_l2=on") }
    return try TestImage(size: "1M", options).open().header
  }

  @Test("Each subcluster is stored, zeros or unallocated, in runs")
  func subclusters() throws {
    let header = try header(isExtended: true)
    let table: [UInt64] = [0x50000, 0b0110 | 0b1_0000 << 32, 0, 0b11 << 32, 0, 0]
    let stored = try L2Entry(0, of: table[...], header)
    #expect(stored.mapping(ofSubcluster: 0) == .unallocated)
    #expect(stored.mapping(ofSubcluster: 2) == .data(HostOffset(0x50000)))
    #expect(stored.mapping(ofSubcluster: 4) == .zero(HostOffset(0x50000)))
    #expect([0, 1, 2, 3, 4, 5].map(stored.runLength) == [1, 2, 1, 1, 1, 27])
    let zeros = try L2Entry(1, of: table[...], header)
    #expect(zeros.mapping(ofSubcluster: 1) == .zero(nil))
    #expect(zeros.runLength(fromSubcluster: 2) == 30)
    #expect(try L2Entry(2, of: table[...], header).runLength(fromSubcluster: 0) == 32)
  }

  @Test("A table may be a slice of several")
  func slices() throws {
    let header = try header(isExtended: false)
    let words: [UInt64] = [0x10000, 0x20000, 0x30000, 0x40000]
    #expect(try L2Entry(1, of: words[2...], header).word == 0x40000)
    #expect(try L2Entry(1, of: words[2...], header).runLength(fromSubcluster: 0) == 1)
  }

  @Test(
    "Entries that no valid image has are refused",
    arguments: [
      (3, true, 0x50000, 0b1 | 0b1 << 32, "both stored and zeros"),
      (3, true, 0, 0b1, "without a cluster"),
      (3, true, TableEntry.compressed | 0x50000, 1 << 40, "compressed"),
      (3, false, 0x50200, 0, "not aligned"),
      (3, false, 0x50000 | 1 << 58, 0, "reserved"),
      (3, false, 0x50002, 0, "reserved"),
      (2, false, 0x50001, 0, "version 2"),
    ] as [(UInt32, Bool, UInt64, UInt64, String)])
  func invalid(
    version: UInt32, isExtended: Bool, word: UInt64, subclusters: UInt64, reason: String
  ) throws {
    let header = try header(version: version, isExtended: isExtended)
    let error = try #require(throws: Qcow2Error.self) {
      _ = try L2Entry(0, of: [word, subclusters], header)
    }
    #expect(error.code == .corrupt)
    #expect(error.message.contains(reason))
  }
}
