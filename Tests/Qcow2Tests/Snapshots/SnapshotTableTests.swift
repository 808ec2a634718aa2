import TestOracles
import Testing

@testable import Qcow2

@Suite struct SnapshotTableTests {
  private func entry(_ id: String, _ name: String = "tag") -> SnapshotEntry {
    SnapshotEntry(
      l1TableOffset: HostOffset(0x50000), l1Size: 3, id: Array(id.utf8), name: Array(name.utf8),
      dateSeconds: 1, dateNanoseconds: 2, vmClockNanoseconds: 3, vmStateSize: 4, diskSize: 5,
      icount: 6, unknownExtraData: [])
  }

  private func table(_ entries: [SnapshotEntry]) -> SnapshotTable {
    var table = SnapshotTable()
    table.entries = entries
    return table
  }

  @Test("A table is decoded as it was encoded, with unknown extra data and large VM state")
  func roundTrip() throws {
    var large = entry("2", "")
    large.vmStateSize = 1 << 40
    large.unknownExtraData = Array(0..<17)
    var old = entry("3", "naïve ☃")
    old.diskSize = nil
    old.icount = nil
    var noCount = entry("4")
    noCount.icount = SnapshotEntry.noInstructionCount
    let table = table([entry("1"), large, old, noCount])
    let bytes = table.encoded()
    for rest in [[], [UInt8](repeating: 0xff, count: 100)] as [[UInt8]] {
      let decoded = try SnapshotTable(decoding: bytes + rest, count: 4)
      #expect(decoded.entries == table.entries)
      #expect(decoded.byteCount == bytes.count)
    }
    // The 32-bit field says "no VM state" where the size does not fit.
    let second = (40 + 24 + 1 + 3 + 7) / 8 * 8
    #expect(Array(bytes[second + 32..<second + 36]) == [0, 0, 0, 0])
    #expect(large.summary(currentDiskSize: 9).vmStateSize == 1 << 40)
    #expect(old.summary(currentDiskSize: 9).diskSize == 9)
    #expect(noCount.summary(currentDiskSize: 9).icount == nil)
    #expect(entry("1").summary(currentDiskSize: 9).icount == 6)
  }

  @Test("A table cut anywhere throws")
  func truncated() {
    var long = entry("2")
    long.unknownExtraData = [1, 2, 3]
    let bytes = table([entry("1"), long]).encoded()
    for count in 0..<bytes.count {
      #expect(throws: (any Error).self) {
        try SnapshotTable(decoding: Array(bytes[..<count]), count: 2)
      }
    }
  }

  @Test("A table whose bits are flipped throws or is decoded, and never traps")
  func flippedBits() {
    let bytes = table([entry("1"), entry("2", "other")]).encoded()
    for index in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[index] ^= 1 << UInt8(bit)
        guard let decoded = try? SnapshotTable(decoding: damaged, count: 2) else { continue }
        _ = decoded.nextID
        _ = try? decoded.validate(
          ClusterGeometry(clusterBits: 9, refcountOrder: 4, hasExtendedL2: false))
      }
    }
  }

  @Test("The next id is one more than the largest number that an id begins with")
  func nextID() {
    #expect(table([]).nextID == "1")
    #expect(table([entry("7"), entry("3")]).nextID == "8")
    #expect(table([entry("abc"), entry("12x"), entry("")]).nextID == "13")
    // No number is larger: the smallest that nobody has.
    #expect(table([entry("99999999999999999999999"), entry("1")]).nextID == "2")
  }

  @Test("Disk sizes that were left out are written down before the size can change")
  func completedDiskSizes() throws {
    var old = entry("1")
    old.diskSize = nil
    old.icount = nil
    var table = table([old, entry("2")])
    table.completeDiskSizes(77)
    #expect(table.entries.map(\.diskSize) == [77, 5])
    #expect(try SnapshotTable(decoding: table.encoded(), count: 2).entries[0].diskSize == 77)
  }

  @Test("An L1 table that is too long or not on a cluster is not valid")
  func validation() throws {
    let geometry = ClusterGeometry(clusterBits: 16, refcountOrder: 4, hasExtendedL2: false)
    try table([entry("1")]).validate(geometry)
    var bad = [entry("1"), entry("2"), entry("3")]
    bad[0].l1Size = 4 << 20 | 1
    bad[1].l1TableOffset = HostOffset(0x50200)
    bad[2].l1TableOffset = HostOffset(0xffff_ffff_ffff_0000)
    for entry in bad {
      #expect(throws: Qcow2Error.self) { try table([entry]).validate(geometry) }
    }
  }

  @Test("Snapshots that qemu-img made are listed as qemu-img lists them")
  func listedAsQemuDoes() throws {
    for options in [[], ["compat=0.10"]] as [[String]] {
      let image = try TestImage(size: "3M", options)
      for name in ["one", "2", "naïve ☃", String(repeating: "x", count: 200)] {
        try QemuImg.createSnapshot(name, in: image.path)
      }
      let listed = try #require(try QemuImg.info(image.path)["snapshots"]?.array)
      let ours = try image.open().snapshots
      #expect(ours.map(\.name) == listed.map { $0["name"]?.string })
      #expect(ours.map(\.id) == ["1", "2", "3", "4"])
      #expect(ours.map(\.id) == listed.map { $0["id"]?.string })
      #expect(ours.map { Int64($0.dateSeconds) } == listed.map { $0["date-sec"]?.int })
      #expect(ours.map { Int64($0.dateNanoseconds) } == listed.map { $0["date-nsec"]?.int })
      #expect(ours.allSatisfy { $0.vmStateSize == 0 && $0.diskSize == 3 << 20 })
    }
  }

  @Test("Unknown extra data of other snapshots stay through our save and our delete")
  func unknownExtraDataIsKept() throws {
    let image = try TestImage(size: "1M")
    try QemuImg.createSnapshot("one", in: image.path)
    let place = try image.open().header.snapshotsOffset.bytes
    let old = try #require(try image.open().table.entries.first)
    // 32 bytes of extra data: 8 that nobody knows.
    try image.poke(UInt32(32), at: place + 36)
    try image.poke([1, 2, 3, 4, 5, 6, 7, 8] + old.id + old.name, at: place + 64)
    try image.commit { try $0.takeSnapshot(tag: "two", date: .init(seconds: 5, nanoseconds: 6)) }
    #expect(try image.open().table.entries[0].unknownExtraData == Array(1...8))
    try image.commit { try $0.deleteSnapshot(position: 1) }
    let entry = try #require(try image.open().table.entries.first)
    #expect(entry.unknownExtraData == Array(1...8))
    #expect(entry.l1TableOffset == old.l1TableOffset)
    try image.expectClean()
  }
}
