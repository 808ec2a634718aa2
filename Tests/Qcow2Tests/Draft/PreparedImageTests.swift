import TestOracles
import Testing

@testable import Qcow2

@Suite struct PreparedImageTests {
  private static let date = ImageDraft.SnapshotDate(seconds: 1, nanoseconds: 2)

  @Test("Undoing leaves every byte as it was", arguments: ImageKind.all)
  func undo(kind: ImageKind) throws {
    let image = try TestImage(size: kind.size, kind.options, ["write -P 1 0 500k"])
    // qemu-img's snapshot leaves no bytes behind in free clusters, which an undo gives back.
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuIO.run(["write -P 2 100k 100k"], on: image.path)
    for edit in [
      { try $0.takeSnapshot(tag: "b", date: Self.date) }, { try $0.load(position: 0) },
      { try $0.deleteSnapshot(position: 0) },
      { try $0.write([UInt8](repeating: 7, count: 100_000), at: 12_345) },
    ] as [(inout ImageDraft) throws -> Void] {
      let copy = image.directory.path("copy")
      try Command.run("cp", ["--sparse=always", image.path, copy])
      let prepared = try image.prepare(edit)
      #expect(try Command.attempt("cmp", ["-s", copy, image.path]).status == 1)
      try prepared.undo()
      #expect(try Command.attempt("cmp", ["-s", copy, image.path]).status == 0)
      try image.expectCleanWhileHeld()
    }
  }

  @Test("Nothing but free clusters is written before the new state is durable, then one sector")
  func order() throws {
    let start = try TestImage(size: "256k", ["cluster_size=4096"], ["write 0 64k"]).bytes()
    let inUse = try Image.clustersInUse(start)
    let file = MemoryFile(start)
    var draft = try ImageDraft(file.open(.change))
    try draft.takeSnapshot(tag: "a", date: Self.date)
    try draft.settle { _ in }
    #expect(file.operations.isEmpty)
    let prepared = try draft.prepare { _ in }
    #expect(!prepared.isDurable)
    let count = file.operations.count
    #expect(count > 0)
    for operation in file.operations {
      guard case .write(let bytes, let offset) = operation else {
        Issue.record("\(operation)")
        continue
      }
      let clusters = Int(offset) / 4096...(Int(offset) + bytes.count - 1) / 4096
      #expect(inUse.isDisjoint(with: clusters))
    }
    let commit = CommitID()
    let catalog = CatalogID()
    let sectors = try prepared.sectors(
      FenceMark(commit: commit, catalog: catalog, member: 0, memberCount: 1))
    #expect(sectors.before.bytes == Array(start[..<512]))
    try prepared.publish(commit: commit, catalog: catalog)
    #expect(
      Array(file.operations[count...]) == [
        .synchronize, .write(sectors.after.bytes, at: 0), .synchronize,
      ])
    #expect(file.operations.count == count + 3)
  }

  @Test("Much data is made durable by prepare, so that the window stays short")
  func bigData() throws {
    let start = try TestImage(size: "16M", ["cluster_size=4096"]).bytes()
    for (byteCount, isDurable) in [(64 << 10, false), (5 << 20, true)] {
      let file = MemoryFile(start)
      var draft = try ImageDraft(file.open(.change))
      try draft.write([UInt8](repeating: 1, count: byteCount), at: 0)
      try draft.settle { _ in }
      let prepared = try draft.prepare { _ in }
      #expect(prepared.isDurable == isDurable)
      #expect((file.operations.last == .synchronize) == isDurable)
    }
  }

  @Test("An image alone has a fence over its new state too, one of several has not")
  func sectors() throws {
    let image = try TestImage(size: "1M")
    try image.save("a")
    let prepared = try image.prepare { try $0.takeSnapshot(tag: "b", date: Self.date) }
    let mark = FenceMark(commit: CommitID(), catalog: CatalogID(), member: 0, memberCount: 1)
    let alone = try prepared.sectors(mark)
    let afterFenced = try #require(alone.afterFenced)
    for (fenced, plain) in [(alone.fenced, alone.before), (afterFenced, alone.after)] {
      #expect(fenced.fenceMark == mark)
      #expect(fenced.mark == nil)
      try image.poke(fenced.bytes, at: 0)
      try image.unfence()
      // Feature names that gave way do not come back; what the image means does.
      let area = try image.open(.peek).area
      try image.poke(plain.bytes, at: 0)
      let expected = try image.open(.peek).area
      #expect(area.header == expected.header)
      #expect(area.mark == expected.mark)
      #expect(area.mark == plain.mark)
    }
    let several = try prepared.sectors(.fresh())
    #expect(several.afterFenced == nil)
    #expect(several.fenced.fenceMark?.memberCount == 3)
    #expect(alone.checksum != several.checksum)
    #expect(alone.checksum.count == 32)
  }

  @Test("A cluster with too many references is found before anything is written")
  func tooManyReferences() throws {
    let image = try TestImage(size: "4M", ["refcount_bits=2"], ["write -P 1 0 1M"])
    for tag in ["a", "b"] { try image.save(tag) }
    let before = try image.bytes()
    let error = try #require(throws: Qcow2Error.self) {
      _ = try image.prepare { try $0.takeSnapshot(tag: "c", date: Self.date) }
    }
    #expect(error.code == .tooManyReferences)
    #expect(error.path == image.path)
    #expect(try image.bytes() == before)
    // One out and one in at once does fit.
    try image.commit { draft in
      try draft.deleteSnapshot(position: 0)
      try draft.takeSnapshot(tag: "c", date: Self.date)
    }
    #expect(try QemuImg.snapshotNames(image.path) == ["b", "c"])
  }

  @Test("One-bit refcounts allow snapshots of nothing only")
  func oneBit() throws {
    let image = try TestImage(size: "4M", ["refcount_bits=1"])
    try image.save("empty")
    try QemuIO.run(["write -P 1 0 64k"], on: image.path)
    let error = try #require(throws: Qcow2Error.self) {
      _ = try image.prepare { try $0.takeSnapshot(tag: "full", date: Self.date) }
    }
    #expect(error.code == .tooManyReferences)
  }

  @Test("All refcount widths that can are saved, loaded and deleted", arguments: [2, 4, 8, 32, 64])
  func refcountWidths(bits: Int) throws {
    let image = try TestImage(size: "4M", ["refcount_bits=\(bits)"], ["write -P 1 0 1M"])
    let first = try QemuImg.contentDigest(image.path)
    try image.save("a")
    try QemuIO.run(["write -P 2 512k 1M"], on: image.path)
    try image.load("a")
    #expect(try QemuImg.contentDigest(image.path) == first)
    try image.delete("a")
  }

  @Test("A published sector has no autoclear bit that is unknown; unknown compatible bits are kept")
  func autoclear() throws {
    let image = try TestImage(size: "4M")
    try Command.run("qemu-img", ["bitmap", "--add", "-f", "qcow2", image.path, "b0"])
    for bit in [2, 50, 57, 63] {
      try image.poke(UInt64(1) << UInt64(bit) | 1, at: 88)
      try image.poke(UInt64(1) << 51, at: 80)
      let prepared = try image.prepare { try $0.takeSnapshot(tag: "a\(bit)", date: Self.date) }
      let sectors = try prepared.sectors(.fresh())
      try prepared.publish()
      let header = try image.open(.peek).header
      #expect(header.autoclear == [.bitmaps])
      #expect(header.compatible.rawValue == 1 << 51)
      try image.poke(sectors.after.bytes, at: 0)
      #expect(try image.open(.peek).header.autoclear == [.bitmaps])
    }
    #expect(try image.open().bitmaps.map(\.name) == ["b0"])
  }

  @Test("A damaged image is refused before anything is written")
  func damagedImage() throws {
    let kinds: [(TestImage, MetadataMap) throws -> Void] = [
      { try $0.poke(UInt64(1) << 40, at: $1.activeL2s[0].lowerBound) },
      { try $0.poke(UInt64(512), at: $1.activeL2s[0].lowerBound) },
      { try $0.poke(UInt64(1) << 40, at: $1.activeL1.lowerBound) },
      { try $0.poke(UInt64(2), at: $1.activeL1.lowerBound) },
      { try $0.poke(UInt16(0), at: $1.refcount(of: 5)) },
      { try $0.poke(UInt64(1) << 40, at: $1.refcountTable.lowerBound) },
      { try $0.poke($1.refcountBlocks[0].lowerBound, at: $1.refcountTable.upperBound) },
    ]
    for (index, damage) in kinds.enumerated() {
      let image = try TestImage(size: "64M", [], ["write -P 1 0 1M"])
      try damage(image, MetadataMap(image.open()))
      let before = try image.bytes()
      let error = try #require(throws: Qcow2Error.self, "damage \(index)") {
        var draft = try image.draft()
        try draft.takeSnapshot(tag: "a", date: Self.date)
        try draft.settle { _ in }
      }
      #expect([.corrupt, .malformed].contains(error.code), "damage \(index): \(error)")
      #expect(error.path == image.path)
      #expect(try image.bytes() == before)
    }
  }

  @Test("Clusters that are in use and counted as free are not cut off behind the last counted one")
  func wronglyFreeTail() throws {
    let image = try TestImage(size: "1M", ["cluster_size=4096"])
    try QemuImg.createSnapshot("a", in: image.path)
    // A gap that the new tables fit into, and data behind it that only the active state leads to.
    try QemuIO.run(["write -P 1 0 128k", "discard 0 64k"], on: image.path)
    let content = try QemuImg.contentDigest(image.path)
    let last = Int(try image.length() / 4096) - 1
    try image.poke(UInt16(0), at: MetadataMap(image.open()).refcount(of: last))
    let prepared = try image.prepare { try $0.deleteSnapshot(position: 0) }
    try prepared.publish()
    try prepared.finish()
    #expect(try image.digestWhileHeld() == content)
  }

  @Test("A block device that is too small for the new state is out of space, and undone")
  func fullDevice() throws {
    let start = try TestImage(size: "256k", ["cluster_size=4096"], ["write 0 200k"]).bytes()
    let whole = start + [UInt8](repeating: 0, count: (4096 - start.count % 4096) % 4096)
    let file = MemoryFile(
      whole + [UInt8](repeating: 0, count: 2 * 4096), isBlockDevice: true)
    var draft = try ImageDraft(file.open(.change))
    try draft.takeSnapshot(tag: "a", date: Self.date)
    try draft.settle { _ in }
    let error = try #require(throws: Qcow2Error.self) {
      _ = try draft.prepare { _ in }
    }
    #expect(error.code == .noSpace)
    #expect(file.bytes.prefix(whole.count) == whole[...])
    #expect(try file.open(.check).check().exitCode == 0)
  }
}

extension Image {
  /// The clusters that an image in memory uses.
  fileprivate static func clustersInUse(_ bytes: [UInt8]) throws -> Set<Int> {
    let image = try MemoryFile(bytes).open(.read)
    let refcounts = try image.loadRefcounts()
    return Set((0..<(bytes.count / 4096 + 1)).filter { refcounts[HostCluster($0)] > 0 })
  }
}
