import TestOracles
import Testing

@testable import Qcow2

@Suite struct FirstSectorTests {
  private let commit = CommitID()
  private let catalog = CatalogID()

  private var marks: Marks { Marks(last: nil, pending: commit, catalog: catalog) }

  /// Encodes the first sector with marks and decodes cluster 0 again.
  private func marked(_ image: Image) throws -> (sector: FirstSector, area: HeaderArea) {
    let sector = try image.firstSector(marks: marks)
    #expect(sector.bytes.count == 512)
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

  /// Puts extensions behind those that the image has.
  private func append(_ extensions: [(type: UInt32, data: [UInt8])], to image: TestImage) throws {
    let area = try image.open().area
    let last = area.extensions.last
    var position = UInt64(last.map { $0.position + $0.byteCount } ?? area.header.byteCount)
    for (type, data) in extensions {
      try image.poke(type, at: position)
      try image.poke(UInt32(data.count), at: position + 4)
      try image.poke(data, at: position + 8)
      position += 8 + UInt64((data.count + 7) / 8 * 8)
    }
    try image.poke(UInt64(0), at: position)
  }

  @Test(
    "Marks and the fence's name fit into the images that qemu-img makes",
    arguments: [
      [], ["compat=0.10"], ["cluster_size=512"], ["cluster_size=2M"], ["extended_l2=on"],
      ["compression_type=zstd"], ["compat=0.10", "cluster_size=512"],
    ])
  func plainImage(options: [String]) throws {
    let image = try TestImage(size: "1M", options).open()
    let (sector, area) = try marked(image)
    #expect(area.marks == marks)
    var expected = image.header
    if image.version >= 3 { expected.autoclear = [.marker] }
    #expect(area.header == expected)
    let names = area.featureNames
    if image.version >= 3 {
      #expect(names.first == .commitPending)
      #expect(sector.fenced.bytes != sector.bytes)
      #expect(sector.fenced.unfenced == sector)
      // qemu's own names follow as far as there is room.
      #expect(names.dropFirst().elementsEqual(image.area.featureNames.prefix(names.count - 1)))
    } else {
      #expect(names.isEmpty)
    }
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

  @Test("A name that leaves no room for the marks is refused, and the image stays as it was")
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
      _ = try draft.prepare(commit: commit, catalog: catalog) { _ in }
    }
    #expect(error.code == .noRoom)
    #expect(error.path == image.path)
    #expect(try image.bytes() == before)
  }

  @Test("Unknown extensions move into the first sector while there is room")
  func unknownExtensionsInside() throws {
    let image = try TestImage(size: "1M")
    try append([(0x1234_5678, Array(0..<60)), (0x1234_5679, [9])], to: image)
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
    try append(smalls + extensions, to: image)
    let before = try image.open()
    let (sector, area) = try marked(before)
    #expect(kept(area) == kept(before.area))
    #expect(kept(area).count == 2 + small)
    #expect(area.marks == marks)
    #expect(area.ext(0x1234_5678)?.position == before.area.ext(0x1234_5678)?.position)
    try image.poke(sector.bytes, at: 0)
    try image.expectClean()
    // Marking it again changes nothing but the marks.
    let (again, _) = try marked(image.open())
    #expect(again == sector)
  }

  @Test("An extension that begins inside the first sector and stays is not touched")
  func extensionAcrossTheBorder() throws {
    // It begins behind qemu's eight feature names, which give way.
    let image = try TestImage(size: "1M")
    let data = [UInt8](repeating: 0xab, count: 700)
    try append([(0x3000_0001, data)], to: image)
    let before = try image.open()
    #expect(before.area.ext(0x3000_0001)?.position == 504)
    let (sector, area) = try marked(before)
    #expect(kept(area) == kept(before.area))
    try image.poke(sector.bytes, at: 0)
    try image.expectClean()
  }

  @Test("What qemu rewrites after us still has our extension, without the marker")
  func survivesQemu() throws {
    for options in [[], ["compat=0.10"]] as [[String]] {
      let image = try TestImage(size: "1M", options)
      try append([(0x1234_5678, [1, 2, 3])], to: image)
      let (sector, _) = try marked(image.open())
      try image.poke(sector.bytes, at: 0)
      #expect(try image.open().hasMarker == options.isEmpty)
      #expect(try QemuImg.check(image.path).isClean)
      #expect(try image.open().hasMarker == options.isEmpty)
      // Opening it for writing and changing the header makes qemu write cluster 0 anew.
      try QemuIO.write(1, at: 0, length: 4096, in: image.path)
      try QemuImg.createSnapshot("one", in: image.path)
      try Command.run("qemu-img", ["rebase", "-u", "-f", "qcow2", "-b", "", image.path])
      let after = try image.open()
      #expect(after.marks == marks)
      #expect(!after.hasMarker)
      #expect(after.area.ext(0x1234_5678)?.data == [1, 2, 3])
      try image.expectClean()
    }
  }

  @Test("qemu refuses a fenced image with exactly our words, and takes it again without the fence")
  func fence() throws {
    let image = try TestImage(size: "1M")
    let (sector, _) = try marked(image.open())
    try image.poke(sector.fenced.bytes, at: 0)
    for program in ["qemu-img info -f qcow2", "qemu-io -r -f qcow2 -c quit"] {
      let words = program.split(separator: " ").map(String.init)
      let result = try Command.attempt(words[0], Array(words[1...]) + [image.path])
      #expect(result.status == 1)
      #expect(
        result.standardError.hasSuffix(
          "Unsupported qcow2 feature(s): snapjob commit pending: run snapjob recover\n"),
        "\(result.standardError)")
    }
    let error = try #require(throws: Qcow2Error.self) { _ = try image.open(.change) }
    #expect(error.code == .conflict)
    #expect(error.message.contains("\(catalog)"))
    #expect(try image.open(.recovery).isFenced)
    try image.poke(sector.fenced.unfenced.bytes, at: 0)
    try image.expectClean()
  }

  @Test("Unknown autoclear bits are cleared; unknown compatible bits and header bytes are kept")
  func featureBits() throws {
    let image = try TestImage(size: "1M")
    try image.poke(UInt64(1) << 40 | 1, at: 80)
    try image.poke(UInt64(1) << 41 | 1 << 63, at: 88)
    // Sixteen more header bytes in place of the feature names.
    try image.poke([UInt8](repeating: 0xee, count: 16) + [UInt8](repeating: 0, count: 8), at: 112)
    try image.poke(UInt32(128), at: 100)
    let (_, area) = try marked(image.open())
    #expect(area.header.compatible.rawValue == 1 << 40 | 1)
    #expect(area.header.autoclear == [.marker])
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
    #expect(area.header.autoclear == [.bitmaps, .marker])
    try image.poke(sector.bytes, at: 0)
    try image.expectClean()
    #expect(try image.open().bitmaps.map(\.name) == ["b0"])
  }
}
