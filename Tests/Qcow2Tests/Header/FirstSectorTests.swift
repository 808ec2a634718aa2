import TestOracles
import Testing

@testable import Qcow2

@Suite struct FirstSectorTests {
  private let commit = CommitID()
  private let catalog = CatalogID()

  private var mark: SnapjobMark { SnapjobMark(last: commit, catalog: catalog) }

  /// Encodes the first sector with a mark and decodes cluster 0 again.
  private func marked(_ image: Image) throws -> (sector: FirstSector, area: HeaderArea) {
    let sector = try FirstSector(encoding: image.area, mark: mark, cluster: image.cluster)
    #expect(sector.bytes.count == 512)
    #expect(sector.mark == mark)
    let cluster = sector.bytes + image.cluster.dropFirst(512)
    return (sector, try HeaderArea(decoding: cluster))
  }

  /// The extensions besides snapjob's own and the feature names, without positions.
  private func kept(_ area: HeaderArea) -> [UInt32: [UInt8]] {
    var kept: [UInt32: [UInt8]] = [:]
    for ext in area.extensions
    where ext.type != HeaderExtension.snapjob && ext.type != HeaderExtension.featureNameTable {
      kept[ext.type] = ext.data
    }
    return kept
  }

  @Test(
    "A mark fits into the images that qemu-img makes",
    arguments: [
      [], ["compat=0.10"], ["cluster_size=512"], ["cluster_size=2M"], ["extended_l2=on"],
      ["compression_type=zstd"], ["compat=0.10", "cluster_size=512"],
    ])
  func plainImage(options: [String]) throws {
    let image = try TestImage(size: "1M", options).open()
    let (sector, area) = try marked(image)
    #expect(area.mark == mark)
    #expect(area.header == image.header)
    #expect(sector.isQcow2)
    #expect(sector.fenceMark == nil)
    // qemu's own names follow as far as there is room.
    let names = area.featureNames
    #expect(names.isEmpty == image.area.featureNames.isEmpty)
    #expect(names.elementsEqual(image.area.featureNames.prefix(names.count)))
    // Without a mark there is no extension of ours.
    let plain = try FirstSector(encoding: image.area, mark: nil, cluster: image.cluster)
    #expect(plain.mark == nil)
  }

  @Test("A backing file's name in the first sector stays readable", arguments: ["0.10", "1.1"])
  func backingFileName(compat: String) throws {
    let base = try TestImage(size: "1M")
    let image = try TestImage()
    try QemuImg.create(
      image.path, size: "1M", options: ["compat=\(compat)"], backingFile: base.path)
    let before = try image.open()
    let (sector, area) = try marked(before)
    #expect(area.backingFileName == Array(base.path.utf8))
    #expect(area.header.backingFileSize == before.header.backingFileSize)
    #expect(kept(area) == kept(before.area))
    try image.poke(sector.bytes, at: 0)
    let info = try QemuImg.info(image.path)
    #expect(info["backing-filename"]?.string == base.path)
    #expect(info["backing-filename-format"]?.string == "qcow2")
    try image.expectClean()
  }

  @Test("A backing file's name behind the first sector stays where it is")
  func distantBackingFileName() throws {
    let image = try TestImage(size: "1M")
    let name = [UInt8](repeating: 0x61, count: 900)
    try image.poke(name, at: 2048)
    try image.poke(UInt64(2048), at: 8)
    try image.poke(UInt32(900), at: 16)
    let (_, area) = try marked(image.open())
    #expect(area.backingFileName == name)
    #expect(area.header.backingFileOffset == 2048)
  }

  @Test("A name that leaves no room for mark and fence is refused, and the image stays as it was")
  func noRoom() throws {
    let image = try TestImage(size: "1M", ["cluster_size=512"])
    let name = [UInt8](repeating: 0x61, count: 300)
    try image.poke(UInt64(0), at: 112)
    try image.poke(name, at: 212)
    try image.poke(UInt64(212), at: 8)
    try image.poke(UInt32(300), at: 16)
    let before = try image.bytes()
    var draft = try image.draft()
    try draft.takeSnapshot(tag: "one", date: .init(seconds: 1, nanoseconds: 0))
    try draft.settle { _ in }
    let error = try #require(throws: Qcow2Error.self) {
      _ = try draft.prepare { _ in }
    }
    #expect(error.code == .noRoom)
    #expect(error.path == image.path)
    #expect(try image.bytes() == before)
  }

  @Test("Unknown extensions move into the first sector while there is room")
  func unknownExtensionsInside() throws {
    let image = try TestImage(size: "1M")
    try image.append([(0x1234_5678, Array(0..<60)), (0x1234_5679, [9])])
    let before = try image.open()
    let (sector, area) = try marked(before)
    #expect(kept(area) == [0x1234_5678: Array(0..<60), 0x1234_5679: [9]])
    #expect(area.extensions.allSatisfy { $0.position + $0.byteCount <= 512 })
    try image.poke(sector.bytes, at: 0)
    try image.expectClean()
  }

  @Test("Those that do not fit stay where they are, behind a filler", arguments: [0, 1, 2])
  func unknownExtensionsOutside(small: Int) throws {
    let image = try TestImage(size: "1M")
    var generator = SeededGenerator(seed: UInt64(small))
    let extensions = [(UInt32(0x1234_5678), generator.bytes(900)), (0x1234_5679, [7, 7, 7])]
    let smalls = (0..<small).map { (UInt32(0x2000_0000 + $0), generator.bytes(20)) }
    try image.append(smalls + extensions)
    let before = try image.open()
    let (sector, area) = try marked(before)
    #expect(kept(area) == kept(before.area))
    #expect(kept(area).count == 2 + small)
    #expect(area.mark == mark)
    #expect(area.ext(0x1234_5678)?.position == before.area.ext(0x1234_5678)?.position)
    try image.poke(sector.bytes, at: 0)
    try image.expectClean()
    // Marking it again changes nothing but the mark.
    let (again, _) = try marked(image.open())
    #expect(again == sector)
  }

  @Test("An extension that begins inside the first sector and stays is not touched")
  func extensionAcrossTheBorder() throws {
    // It begins behind qemu's eight feature names, which give way.
    let image = try TestImage(size: "1M")
    let data = [UInt8](repeating: 0xab, count: 700)
    try image.append([(0x3000_0001, data)])
    let before = try image.open()
    #expect(before.area.ext(0x3000_0001)?.position == 504)
    let (sector, area) = try marked(before)
    #expect(kept(area) == kept(before.area))
    try image.poke(sector.bytes, at: 0)
    try image.expectClean()
  }

  @Test("What qemu rewrites after us still has our extension")
  func survivesQemu() throws {
    for options in [[], ["compat=0.10"]] as [[String]] {
      let image = try TestImage(size: "1M", options)
      try image.append([(0x1234_5678, [1, 2, 3])])
      let (sector, _) = try marked(image.open())
      try image.poke(sector.bytes, at: 0)
      #expect(try QemuImg.check(image.path).isClean)
      // Opening it for writing and changing the header makes qemu write cluster 0 anew.
      try QemuIO.write(1, at: 0, length: 4096, in: image.path)
      try QemuImg.createSnapshot("one", in: image.path)
      try Command.run("qemu-img", ["rebase", "-u", "-f", "qcow2", "-b", "", image.path])
      try Command.run(
        "qemu-img", ["check", "-q", "-r", "all", "-f", "qcow2", image.path])
      #expect(try QemuImg.snapshotNames(image.path) == ["one"])
      let after = try image.open()
      #expect(after.mark == mark)
      #expect(after.area.ext(0x1234_5678)?.data == [1, 2, 3])
      try image.expectClean()
    }
  }

  @Test("Feature bits, also unknown ones, and unknown header bytes are kept")
  func featureBits() throws {
    let image = try TestImage(size: "1M")
    try image.poke(UInt64(1) << 40 | 1, at: 80)
    try image.poke(UInt64(1) << 41 | 1 << 63, at: 88)
    // Sixteen more header bytes in place of the feature names.
    try image.poke([UInt8](repeating: 0xee, count: 16) + [UInt8](repeating: 0, count: 8), at: 112)
    try image.poke(UInt32(128), at: 100)
    let (_, area) = try marked(image.open())
    #expect(area.header.compatible.rawValue == 1 << 40 | 1)
    #expect(area.header.autoclear.rawValue == UInt64(1) << 41 | UInt64(1) << 63)
    #expect(Array(area.header.rest.suffix(16)) == [UInt8](repeating: 0xee, count: 16))
  }

  @Test("The bitmaps extension lies inside the first sector")
  func bitmaps() throws {
    let image = try TestImage(size: "1M")
    try Command.run("qemu-img", ["bitmap", "--add", "-f", "qcow2", image.path, "b0"])
    let before = try image.open()
    let (sector, area) = try marked(before)
    let ext = try #require(area.ext(HeaderExtension.bitmaps))
    #expect(ext.position + ext.byteCount <= 512)
    #expect(ext.data == before.area.ext(HeaderExtension.bitmaps)?.data)
    #expect(area.header.autoclear == [.bitmaps])
    try image.poke(sector.bytes, at: 0)
    try image.expectClean()
    #expect(try image.open().bitmaps.map(\.name) == ["b0"])
  }

  @Test("Bitmaps can be added to an image with an unknown extension that stays behind the filler")
  func bitmapsBeforeStayingExtension() throws {
    let image = try TestImage(size: "8M", [], ["write -P 1 0 1M"])
    let data = [UInt8](repeating: 0x78, count: 400)
    try image.append([(0x1234_5678, data)])
    try image.save("s")
    try image.commit { try $0.bitmaps.add("bm", granularity: 65536, isEnabled: true) }
    try image.expectClean()
    #expect(try Set(QemuBitmaps.list(image.path).keys) == ["bm"])
    #expect(try QemuImg.snapshotNames(image.path) == ["s"])
    #expect(try image.open().area.ext(0x1234_5678)?.data == data)
    try image.commit { try $0.bitmaps.remove("bm") }
    #expect(try image.open().area.ext(HeaderExtension.bitmaps) == nil)
    #expect(try image.open().area.ext(0x1234_5678)?.data == data)
    #expect(try QemuBitmaps.list(image.path).isEmpty)
  }

  @Test(
    "An outdated extension is never left in the chain behind one that stays", arguments: [0, 1])
  func nothingOldBehindStaying(order: Int) throws {
    // The bitmaps extension before an unknown one that does not fit, and behind it.
    let image = try TestImage(size: "1M")
    try Command.run("qemu-img", ["bitmap", "--add", "-f", "qcow2", image.path, "b0"])
    let bitmaps = try #require(try image.open().area.ext(HeaderExtension.bitmaps))
    let unknown = (type: UInt32(0x1234_5678), data: [UInt8](repeating: 0xcd, count: 900))
    if order == 0 {
      try image.append([unknown])
    } else {
      try image.append([unknown, (bitmaps.type, bitmaps.data)], at: UInt64(bitmaps.position))
    }
    try image.expectClean()
    let before = try image.open()
    let types = [bitmaps.type, unknown.type]
    #expect(
      before.area.extensions.suffix(2).map(\.type) == (order == 0 ? types : types.reversed()))
    var without = before.area
    without.extensions.removeAll { $0.type == HeaderExtension.bitmaps }
    without.header.autoclear.remove(.bitmaps)
    guard order == 0 else {
      // The extension cannot stay without leading on to the old bitmaps.
      for area in [before.area, without] {
        let error = try #require(throws: Qcow2Error.self) {
          _ = try FirstSector(encoding: area, mark: mark, cluster: before.cluster)
        }
        #expect(error.code == .noRoom)
      }
      return
    }
    let sector = try FirstSector(encoding: without, mark: mark, cluster: before.cluster)
    let area = try HeaderArea(decoding: sector.bytes + before.cluster.dropFirst(512))
    #expect(kept(area) == [unknown.type: unknown.data])
  }
}
