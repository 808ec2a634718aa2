import TestOracles
import Testing

@testable import Qcow2

/// Images whose data entries lead into their own structures: no change may take a structure's reference for that
/// of guest data, and give its cluster away.
@Suite struct GivenAwayTests {
  /// A structure that guest data are said to lie on.
  enum Structure: String, CaseIterable, Sendable {
    case header, refcountTable, refcountBlock, activeL1, snapshotL1, snapshotTable, activeL2
    case snapshotL2, bitmapDirectory, bitmapTable, bitmapData

    /// Where it lies.
    func offset(in image: Image) throws -> UInt64 {
      let header = image.header
      switch self {
      case .header: return 0
      case .refcountTable: return header.refcountTableOffset.bytes
      case .refcountBlock: return try MetadataMap(image).refcountBlocks[0].lowerBound
      case .activeL1: return header.l1TableOffset.bytes
      case .snapshotL1: return image.table.entries[1].l1TableOffset.bytes
      case .snapshotTable: return header.snapshotsOffset.bytes
      case .activeL2: return try image.readActiveL1()[0] & TableEntry.offsetMask
      case .snapshotL2:
        return try image.readL1(of: image.table.entries[1])[0] & TableEntry.offsetMask
      case .bitmapDirectory:
        return try #require(try image.area.bitmapsExtension()).directoryOffset.bytes
      case .bitmapTable: return image.bitmapEntries[0].tableOffset.bytes
      case .bitmapData:
        return try #require(
          try BitmapTable(of: image.bitmapEntries[0], in: image).dataOffsets.first
        )
        .bytes
      }
    }
  }

  /// A change that touches references of an L2 table.
  enum Change: CaseIterable, Sendable {
    case save, load, delete

    /// The table that it touches, of an image whose snapshots share no table.
    func table(in image: Image) throws -> UInt64 {
      let l1 = try self == .save ? image.readActiveL1() : image.readL1(of: image.table.entries[0])
      return l1[0] & TableEntry.offsetMask
    }

    func make(_ draft: inout ImageDraft) throws {
      switch self {
      case .save:
        try draft.takeSnapshot(tag: "new", date: .init(seconds: 0, nanoseconds: 0))
      case .load: try draft.load(position: 0)
      case .delete: try draft.deleteSnapshot(position: 0)
      }
    }
  }

  /// An image of two snapshots, which share nothing with each other or the active state, and a bitmap.
  private func makeImage() throws -> TestImage {
    let image = try TestImage(size: "4M", ["cluster_size=4096"], ["write -P 1 0 64k"])
    try QemuBitmaps.add("b0", to: image.path, granularity: 512)
    for (tag, pattern) in [("a", 2), ("b", 3)] {
      try QemuImg.createSnapshot(tag, in: image.path)
      try QemuIO.run(["write -P \(pattern) 0 64k"], on: image.path)
    }
    return image
  }

  /// Fails the test unless a change is refused and the image stays as it is.
  private func expectRefusal(
    _ image: TestImage, _ change: (inout ImageDraft) throws -> Void, _ text: String
  ) throws {
    let before = try image.bytes()
    let error = try #require(throws: Qcow2Error.self) {
      var draft = try image.draft()
      try change(&draft)
      try draft.settle { _ in }
    }
    #expect(error.code == .corrupt)
    #expect(error.message.contains(text), "\(error)")
    #expect(error.advice == .check)
    #expect(try image.bytes() == before)
  }

  @Test(
    "A change that meets guest data on a structure is refused", arguments: Structure.allCases,
    Change.allCases)
  func data(on structure: Structure, change: Change) throws {
    let image = try makeImage()
    let opened = try image.open()
    let place = try structure.offset(in: opened)
    let entry = try change.table(in: opened) + 8 * 200
    opened.unlock()
    // Data as they are cannot lie at offset 0: that is no cluster.
    let words = (place == 0 ? [] : [place]) + [TableEntry.compressed | place + 512]
    for word in words {
      try image.poke(word, at: entry)
      #expect(try QemuFindings.expectSame(image.path).exitCode == 2)
      try expectRefusal(image, change.make, "guest data lie on ")
    }
    try image.poke(UInt64(0), at: entry)
    try image.expectClean()
    try image.commit(change.make)
  }

  @Test(
    "A change of an image whose L1 entry leads to a structure is refused",
    arguments: Change.allCases)
  func table(change: Change) throws {
    let image = try makeImage()
    let opened = try image.open()
    let entry = opened.table.entries[0].l1TableOffset.bytes + 8
    let places = try [Structure.refcountBlock, .activeL1, .snapshotTable, .bitmapData].map {
      try $0.offset(in: opened)
    }
    opened.unlock()
    for place in places {
      try image.poke(place, at: entry)
      #expect(try QemuFindings.expectSame(image.path).exitCode == 2)
      try expectRefusal(image, change.make, " lies on ")
    }
  }

  @Test("Two structures on one cluster are refused: one would be given away with the other")
  func twoStructures() throws {
    let image = try makeImage()
    let opened = try image.open()
    let entry = opened.header.snapshotsOffset.bytes
    let l1 = opened.header.l1TableOffset.bytes
    opened.unlock()
    try image.poke(l1, at: entry)
    #expect(try QemuFindings.expectSame(image.path).exitCode == 2)
    try expectRefusal(
      image, Change.delete.make, "a snapshot's L1 table lies on the active L1 table")
  }

  @Test("A bitmap whose table leads to a structure is neither cleared nor removed")
  func bitmap() throws {
    let image = try makeImage()
    let opened = try image.open()
    let table = opened.bitmapEntries[0].tableOffset.bytes
    let places = try [Structure.activeL2, .snapshotL2, .snapshotTable].map {
      try $0.offset(in: opened)
    }
    opened.unlock()
    for place in places {
      try image.poke(place, at: table)
      #expect(try QemuFindings.expectSame(image.path).exitCode == 2)
      try expectRefusal(image, { try $0.bitmaps.remove("b0") }, " lies on ")
      try expectRefusal(image, { try $0.bitmaps.clear("b0") }, " lies on ")
    }
  }

  @Test("A table that is counted as free is refused before anything is put in its place")
  func freeTable() throws {
    let image = try makeImage()
    let opened = try image.open()
    let table = try Structure.snapshotL2.offset(in: opened)
    let count = try MetadataMap(opened).refcount(of: Int(table >> 12))
    opened.unlock()
    try image.poke(UInt16(0), at: count)
    #expect(try QemuFindings.expectSame(image.path).exitCode == 2)
    try expectRefusal(image, Change.save.make, "counted as free")
  }
}
