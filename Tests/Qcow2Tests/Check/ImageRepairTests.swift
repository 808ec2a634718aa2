import TestOracles
import Testing

@testable import Qcow2

@Suite struct ImageRepairTests {
  @Test(
    "After a repair of damage qemu-img finds no more than after its own, and the guest sees the same",
    arguments: Damage.all, RepairScope.allCases)
  func damage(_ damage: Damage, scope: RepairScope) throws {
    let image = try TestImage(size: "64M", [], ["write -P 1 0 1M", "write -P 2 8M 128k"])
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuIO.run(["write -P 3 512k 1M"], on: image.path)
    try damage.inflict(image, MetadataMap(image.open()))
    try expectAsGoodAsQemu(image, scope, comparesContent: !damage.makesMetadataContent)
  }

  @Test(
    "Bits flipped anywhere in the metadata are repaired as well as by qemu-img", arguments: 0..<4)
  func flippedBits(seed: Int) throws {
    let options = [
      ["cluster_size=4096"], ["cluster_size=512"], ["extended_l2=on", "cluster_size=16k"],
      ["compat=0.10", "cluster_size=1024"],
    ]
    let image = try ImageCheckTests.makeImage(options[seed])
    let before = try image.bytes()
    let metadata = try MetadataMap(image.open()).all
    var generator = SeededGenerator(seed: UInt64(100 + seed))
    for _ in 0..<25 {
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let range = metadata[Int.random(in: metadata.indices, using: &generator)]
        let offset = UInt64.random(in: range, using: &generator)
        let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
        try image.poke([before[Int(offset)] ^ bit], at: offset)
      }
      try expectAsGoodAsQemu(image, .all)
      try image.setLength(0)
      try image.poke(before, at: 0)
    }
  }

  /// Repairs one copy with this engine and one with qemu-img.
  private func expectAsGoodAsQemu(
    _ image: TestImage, _ scope: RepairScope, comparesContent: Bool = true,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let other = try TestImage()
    try other.create(image.bytes())
    let before = try QemuFindings(qemu: image.path)
    let repair = try Command.attempt(
      "qemu-img", ["check", "-q", "-f", "qcow2", "-r", scope.rawValue, other.path])
    let theirs = try QemuFindings(qemu: other.path)

    let messages = (try? image.open(.check).check().messages) ?? []
    let report: CheckReport
    do {
      report = try image.open(.repair).repair(scope)
    } catch let error as Qcow2Error {
      // What cannot be opened for a check cannot be repaired, by qemu-img neither.
      #expect(repair.status == 1, "\(error)", sourceLocation: sourceLocation)
      return
    }
    let ours = try QemuFindings.expectSame(image.path)
    #expect(ours.exitCode == report.exitCode, sourceLocation: sourceLocation)
    // A header or another table that is taken for an L2 table changes with the repair.
    if before.exitCode != 1, !messages.contains(where: { $0.contains("found L1 entry") }) {
      #expect(
        ours.corruptions <= before.corruptions,
        "\(messages.prefix(30)) became \(report.messages.prefix(30))",
        sourceLocation: sourceLocation)
      #expect(ours.leaks <= before.leaks, sourceLocation: sourceLocation)
    }
    guard theirs.exitCode == 0 else { return }
    #expect(ours.exitCode == 0, "\(report.messages)", sourceLocation: sourceLocation)
    guard comparesContent else { return }
    // Damage that leads to content which cannot be read is no matter of refcounts.
    let (left, right) = (try? Meaning(qemu: image.path), try? Meaning(qemu: other.path))
    #expect(left == right, sourceLocation: sourceLocation)
  }

  @Test("The marks dirty and corrupt go when nothing is wrong any more, and only then")
  func marks() throws {
    for bit in [1, 2, 3] as [UInt64] {
      let image = try TestImage(size: "4M", [], ["write 0 256k"])
      try image.poke(bit, at: 72)
      let report = try image.open(.repair).repair(.leaks)
      #expect(report.exitCode == 0)
      #expect(try image.number(UInt64.self, at: 72) == bit & 2, "corrupt is not for leaks to clear")
      _ = try image.open(.repair).repair(.all)
      #expect(try image.number(UInt64.self, at: 72) == 0)
      try image.save("a")
      try image.expectClean()

      try image.poke(bit, at: 72)
      let table = try MetadataMap(image.open(.check)).activeL2s[0].lowerBound
      try image.poke(UInt64(1) << 40, at: table + 8 * 100)
      let second = try image.open(.repair).repair(.all)
      #expect(second.exitCode == 2)
      #expect(try image.number(UInt64.self, at: 72) == bit)
    }
  }

  @Test("Whenever power fails during a repair, the image is as it was or as it should be")
  func powerFails() throws {
    let image = try TestImage(
      size: "256k", ["cluster_size=4096"], ["write -P 1 0 60k", "write -P 2 100k 20k"])
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuIO.run(["write -P 3 16k 60k"], on: image.path)
    let map = try MetadataMap(image.open())
    for cluster in [3, 5, 9, 20] { try image.poke(UInt16(0), at: map.refcount(of: cluster)) }
    for cluster in [12, 14] { try image.poke(UInt16(7), at: map.refcount(of: cluster)) }
    try image.poke(
      image.number(UInt64.self, at: map.activeL1.lowerBound) ^ TableEntry.copied,
      at: map.activeL1.lowerBound)

    let start = try image.bytes()
    let file = MemoryFile(start)
    let old = try file.open(.check).check()
    let meaning = try Meaning(file)
    let new = try file.open(.repair).repair(.all)
    #expect(old.corruptions > 0 && old.leaks > 0 && new.exitCode == 0)
    #expect(new.leaksFixed == old.leaks && new.corruptionsFixed == old.corruptions)

    var generator = SeededGenerator(seed: 3)
    let states = PowerLoss(start: start, operations: file.operations)
      .states(samples: 12, using: &generator)
    var endings: Set<Bool> = []
    for state in states {
      let damaged = MemoryFile(state.bytes)
      #expect(try Meaning(damaged) == meaning)
      let report = try damaged.open(.check).check()
      let isNew = report.exitCode == 0
      endings.insert(isNew)
      if !isNew {
        #expect(report.corruptions == old.corruptions && report.leaks == old.leaks)
      }
    }
    #expect(endings == [true, false])
  }

  @Test("A repair that is stopped leaves the image as it was")
  func stopped() throws {
    struct Stop: Error {}
    let image = try TestImage(size: "4M", [], ["write -P 1 0 256k"])
    try image.poke(UInt16(0), at: MetadataMap(image.open()).refcount(of: 5))
    let before = try image.bytes()
    #expect(throws: Stop.self) {
      try image.open(.repair).repair(.all, { if $0 > 0 { throw Stop() } })
    }
    #expect(try image.bytes() == before)
    #expect(try image.open(.check).check().exitCode == 2)
  }

  @Test("Too much extra data in a snapshot's entry goes, and everything else stays")
  func excessExtraData() throws {
    let image = try TestImage(size: "4M", [], ["write -P 1 0 256k"])
    try QemuImg.createSnapshot("a", in: image.path)
    let entry = try #require(try image.open().table.entries.first)
    let start = try MetadataMap(image.open()).snapshotTable.lowerBound
    try image.poke(UInt32(2000), at: start + 36)
    try image.poke([UInt8](repeating: 0, count: 2000 - 24) + entry.id + entry.name, at: start + 64)
    #expect(throws: Qcow2Error.self) { try image.open(.change) }
    #expect(throws: Qcow2Error.self) {
      try image.open(.repair).repair(.leaks)
    }
    let report = try image.open(.repair).repair(.all)
    #expect(report.exitCode == 0 && report.corruptionsFixed == 1)
    try image.expectClean()
    #expect(try QemuImg.snapshotNames(image.path) == ["a"])
  }

  @Test("A sound image is not touched")
  func nothingToDo() throws {
    let image = try ImageCheckTests.makeImage([])
    let before = try image.bytes()
    for scope in RepairScope.allCases {
      _ = try image.open(.repair).repair(scope)
    }
    #expect(try image.bytes() == before)
  }

  @Test("A repair of leaks leaves an image alone in which more is wrong")
  func leaksOnly() throws {
    let image = try TestImage(size: "16M", ["lazy_refcounts=on"], ["write -P 1 0 4M"])
    _ = try Command.attempt(
      "qemu-io",
      [
        "-f", "qcow2", "-d", "unmap", "-c", "write -P 2 8M 1M", "-c", "discard 0 3M", "-c", "flush",
        "-c", "sigraise 9", image.path,
      ])
    let before = try image.bytes()
    #expect(try image.open(.check).check().leaks > 0)
    let report = try image.open(.repair).repair(.leaks)
    #expect(report.exitCode == 2 && report.leaksFixed == 0)
    #expect(report.remarks.last?.advice == .repair)
    #expect(try image.bytes() == before)
    let mended = try image.open(.repair).repair(.all)
    #expect(mended.exitCode == 0)
    try QemuIO.run(["read -P 2 8M 1M", "read -P 1 3M 1M"], on: image.path)
    try image.expectClean()
  }

  /// Damage of one structure after which something leads nowhere.
  private static let lost: [(String, @Sendable (TestImage, MetadataMap) throws -> Void)] = [
    (
      "an L1 table at the end of the file",
      { image, _ in try image.poke(UInt64(image.length() + 65535) / 65536 * 65536, at: 40) }
    ),
    (
      "an L1 entry behind the end",
      { image, map in
        let place = map.activeL1.lowerBound
        try image.poke(image.number(UInt64.self, at: place) ^ 1 << 50, at: place)
      }
    ),
    (
      "an unaligned snapshot's L1 table",
      { image, map in
        let place = map.snapshotTable.lowerBound
        try image.poke(image.number(UInt64.self, at: place) + 512, at: place)
      }
    ),
    (
      "reserved bits in an L2 entry",
      { image, map in
        let place = map.activeL2s[0].lowerBound
        try image.poke(image.number(UInt64.self, at: place) | 4, at: place)
      }
    ),
    (
      "an unaligned refcount block and an unaligned L1 entry",
      { image, map in
        let block = map.refcountTable.lowerBound
        try image.poke(image.number(UInt64.self, at: block) + 512, at: block)
        let place = map.activeL1.lowerBound
        try image.poke(image.number(UInt64.self, at: place) + 1024, at: place)
      }
    ),
  ]

  @Test("Where something leads nowhere, nothing is repaired, and that is said", arguments: 0..<5)
  func nothingIsGivenAway(way: Int) throws {
    let image = try TestImage(size: "64M", [], ["write -P 1 0 1M", "write -P 2 8M 128k"])
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuIO.run(["write -P 3 0 64k"], on: image.path)
    let map = try MetadataMap(image.open())
    try image.poke(UInt16(9), at: map.refcount(of: 5))
    try Self.lost[way].1(image, map)
    let before = try image.bytes()
    for scope in RepairScope.allCases {
      let report = try image.open(.repair).repair(scope)
      #expect(report.exitCode != 0, "\(Self.lost[way].0)")
      #expect(report.remarks.last?.text.hasPrefix("Nothing was repaired: ") == true)
      #expect(try image.bytes() == before, "\(Self.lost[way].0)")
    }
  }

  @Test("Data beyond a disk's end that are no VM state stay, through repairs and changes")
  func dataBeyondTheEnd() throws {
    let image = try TestImage(size: "2G", [], ["write -P 1 0 64k", "write -P 2 1G 256k"])
    let content = try image.digest()
    try image.poke(UInt64(512 << 20), at: 24)
    let leak = Int(try image.length() >> 16)
    try image.setLength(Int64(leak + 1) << 16)
    try image.poke(UInt16(1), at: MetadataMap(image.open()).refcount(of: leak))
    for scope in RepairScope.allCases {
      _ = try image.open(.repair).repair(scope)
    }
    try image.save("a")
    try image.save("b")
    try image.delete("a")
    try image.poke(UInt64(2 << 30), at: 24)
    #expect(try image.digest() == content)
    try image.expectClean()
  }

  @Test("Keys that cannot be found are not taken for leaks", arguments: 0..<3)
  func luksKeys(way: Int) throws {
    let image = try TestImage(luksSize: "4M", secret: "s")
    let ext = try #require(try image.open().area.ext(HeaderExtension.luksHeader))
    let start = UInt64(ext.position)
    switch way {
    case 0: try image.poke(UInt32(0x1234_5678), at: start)
    case 1: try image.poke(image.number(UInt64.self, at: start + 8) + 65536, at: start + 8)
    default: try image.poke(image.number(UInt64.self, at: start + 16) | 1 << 40, at: start + 16)
    }
    let before = try image.bytes()
    for scope in RepairScope.allCases {
      let report = try? image.open(.repair).repair(scope)
      #expect(report?.exitCode != 0)
    }
    #expect(try image.bytes() == before)
  }

  @Test("References that one bit cannot count keep an image from being repaired")
  func oneBitCounts() throws {
    let image = try TestImage(size: "4M", ["refcount_bits=1"], ["write -P 1 0 128k"])
    let table = try MetadataMap(image.open()).activeL2s[0].lowerBound
    let first = try image.number(UInt64.self, at: table) & ~TableEntry.copied
    try image.poke(first, at: table)
    try image.poke(first, at: table + 8)
    let before = try image.bytes()
    let report = try image.open(.repair).repair(.all)
    #expect(report.exitCode == 2)
    #expect(try image.bytes() == before)
  }
}
