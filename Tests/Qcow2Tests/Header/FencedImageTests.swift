import SystemPackage
import TestOracles
import Testing

@testable import Qcow2

/// An image as it can be when it is fenced.
private enum FencedKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case plain, version2, lazy, smallClusters, smallClustersVersion2, bigClusters, extendedL2, zstd
  case oneBit, wide, backingName, backingNameVersion2, distantBackingName, bitmaps
  case unknownInside, unknownOutside, unknownBehindName, marked, markedVersion2

  var testDescription: String { rawValue }

  private var options: [String] {
    switch self {
    case .version2, .backingNameVersion2, .markedVersion2: ["compat=0.10"]
    case .lazy: ["lazy_refcounts=on"]
    case .smallClusters: ["cluster_size=512"]
    case .smallClustersVersion2: ["compat=0.10", "cluster_size=512"]
    case .bigClusters: ["cluster_size=2M"]
    case .extendedL2: ["extended_l2=on"]
    case .zstd: ["compression_type=zstd"]
    case .oneBit: ["refcount_bits=1"]
    case .wide: ["refcount_bits=64"]
    default: []
    }
  }

  private var hasBackingFile: Bool {
    [.backingName, .backingNameVersion2, .distantBackingName, .unknownBehindName].contains(self)
  }

  /// Makes one, with content and, where the refcounts allow it, a snapshot.
  func make() throws -> (image: TestImage, base: TestImage?) {
    let image = try TestImage()
    let base = hasBackingFile ? try TestImage(size: "4M", [], ["write -P 9 0 4M"]) : nil
    try QemuImg.create(image.path, size: "4M", options: options, backingFile: base?.path)
    try QemuIO.run(["write -P 1 0 300k"], on: image.path)
    if self != .oneBit { try QemuImg.createSnapshot("one", in: image.path) }
    try QemuIO.run(["write -P 2 100k 300k"], on: image.path)
    switch self {
    case .distantBackingName:
      let area = try image.open().area
      try image.poke(area.backingFileName ?? [], at: 2048)
      try image.poke(UInt64(2048), at: 8)
    case .bitmaps:
      for name in ["b0", "b1"] { try QemuBitmaps.add(name, to: image.path, granularity: 65536) }
    case .unknownInside: try image.append([(0x1234_5678, [1, 2, 3]), (0x1234_5679, [])])
    case .unknownOutside:
      try image.append([(0x1234_5678, [UInt8](repeating: 7, count: 1000)), (0x1234_5679, [4])])
    case .unknownBehindName:
      // Behind a name that lies in the second kilobyte, unknown extensions stay where they are.
      let area = try image.open().area
      try image.poke(area.backingFileName ?? [], at: 4096)
      try image.poke(UInt64(4096), at: 8)
      try image.append([(0x1234_5678, [UInt8](repeating: 7, count: 1000))])
    case .marked, .markedVersion2: try image.save("two")
    default: break
    }
    return (image, base)
  }
}

/// What libvirt's own reader finds in a header: it does not look at incompatible bits.
private struct LibvirtHeader: Hashable {
  let size: UInt64
  let cryptMethod: UInt32
  var backingName: [UInt8]?
  var backingFormat: [UInt8]?

  init(_ image: TestImage) throws {
    let bytes = try Array(image.bytes().prefix(64 << 10))
    func number(_ count: Int, at offset: Int) -> UInt64 {
      bytes[offset..<offset + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
    size = number(8, at: 24)
    cryptMethod = UInt32(number(4, at: 32))
    let nameOffset = Int(number(8, at: 8))
    if nameOffset != 0 {
      backingName = Array(bytes[nameOffset..<nameOffset + Int(number(4, at: 16))])
    }
    var position = number(4, at: 4) == 2 ? 72 : Int(number(4, at: 100))
    let end = nameOffset == 0 ? bytes.count : nameOffset
    while position + 8 <= end {
      let length = Int(number(4, at: position + 4))
      switch number(4, at: position) {
      case 0: return
      case 0xe279_2aca: backingFormat = Array(bytes[position + 8..<position + 8 + length])
      default: break
      }
      position += 8 + (length + 7) / 8 * 8
    }
  }
}

@Suite struct FencedImageTests {
  private let mark = FenceMark.fresh()

  /// What qemu-img says of an image, but for what the filesystem does.
  private func info(_ path: String) throws -> [String: JSONValue] {
    var info = try #require(try QemuImg.info(path).object)
    info["actual-size"] = nil
    info["children"] = nil
    return info
  }

  @Test(
    "Every program of QEMU refuses a fenced image with our words, and nothing is changed by it",
    arguments: FencedKind.allCases)
  private func refused(kind: FencedKind) throws {
    let (image, base) = try kind.make()
    try image.poke(image.fencedSector(mark).bytes, at: 0)
    let before = try image.bytes()
    for program in [
      "qemu-img info -f qcow2", "qemu-img info -U -f qcow2", "qemu-img info -U",
      "qemu-img check -f qcow2", "qemu-img check -r all -f qcow2", "qemu-img snapshot -l",
      "qemu-img snapshot -c new", "qemu-img snapshot -d one", "qemu-img commit -f qcow2",
      "qemu-img amend -f qcow2 -o lazy_refcounts=off", "qemu-img rebase -u -f qcow2 -b x -F raw",
      "qemu-img resize -f qcow2 +1M", "qemu-img bitmap -f qcow2 --add new",
      "qemu-io -r -f qcow2 -c quit", "qemu-io -f qcow2 -c quit",
    ] {
      var words = program.split(separator: " ").map(String.init)
      let name = words.removeFirst()
      // Two of them take the file before their last word.
      let arguments =
        switch words[0] {
        case "resize": Array(words.dropLast()) + [image.path, "+1M"]
        case "bitmap": Array(words.dropLast()) + [image.path, "new"]
        default: words + [image.path]
        }
      let result = try Command.attempt(name, arguments)
      #expect(result.status == 1, "\(program)")
      #expect(result.standardError.hasSuffix(fenceWords), "\(program): \(result.standardError)")
    }
    #expect(try image.bytes() == before)
    withExtendedLifetime(base) {}
  }

  @Test(
    "A fenced sector is a header of version 3 with a refcount order that nobody has",
    arguments: FencedKind.allCases)
  private func fields(kind: FencedKind) throws {
    let (image, base) = try kind.make()
    let before = try image.open()
    let fenced = try image.fencedSector(mark)
    #expect(fenced.fenceMark == mark)
    #expect(fenced.mark == nil)
    let header = try Header(decoding: fenced.bytes)
    #expect(header.version == 3)
    #expect(header.refcountOrder == 63)
    #expect(header.incompatible.symmetricDifference(before.header.incompatible) == .commitPending)
    var rest = header
    // A version 2 header has no more fields than it had.
    if before.version == 2 { #expect(header.byteCount == Header.version3ByteCount) }
    rest.version = before.version
    rest.refcountOrder = before.header.refcountOrder
    rest.incompatible = before.header.incompatible
    rest.backingFileOffset = before.header.backingFileOffset
    #expect(rest == before.header)
    let fence = try #require(fenced.fence)
    #expect(fence.oldVersion == before.version)
    #expect(fence.oldRefcountOrder == before.header.refcountOrder)
    #expect(fence.oldMark == before.mark)
    #expect((before.mark != nil) == [.marked, .markedVersion2].contains(kind))
    withExtendedLifetime(base) {}
  }

  @Test(
    "libvirt's reader finds in a fenced image what it found before",
    arguments: FencedKind.allCases)
  private func libvirt(kind: FencedKind) throws {
    let (image, base) = try kind.make()
    let before = try LibvirtHeader(image)
    #expect((before.backingName != nil) == (base != nil))
    #expect((before.backingFormat != nil) == (base != nil))
    try image.poke(image.fencedSector(mark).bytes, at: 0)
    #expect(try LibvirtHeader(image) == before)
    try image.unfence()
    #expect(try LibvirtHeader(image) == before)
  }

  @Test(
    "Without the fence, by itself, an image means what it meant",
    arguments: FencedKind.allCases)
  private func reversible(kind: FencedKind) throws {
    let (image, base) = try kind.make()
    let opened = try image.open()
    let before = (
      info: try info(image.path), table: try QemuImg.snapshotTable(image.path),
      content: try QemuImg.contentDigest(image.path), bitmaps: try QemuBitmaps.digests(image.path)
    )
    let snapshot = kind == .oneBit ? nil : "one"
    let old = try QemuImg.contentDigest(image.path, snapshot: snapshot)
    try image.poke(image.fencedSector(mark).bytes, at: 0)
    try image.unfence()
    try image.expectClean()
    #expect(try info(image.path) == before.info)
    #expect(try QemuImg.snapshotTable(image.path) == before.table)
    #expect(try QemuImg.contentDigest(image.path) == before.content)
    #expect(try QemuImg.contentDigest(image.path, snapshot: snapshot) == old)
    #expect(try QemuBitmaps.digests(image.path) == before.bitmaps)
    let after = try image.open()
    var header = after.header
    header.backingFileOffset = opened.header.backingFileOffset
    #expect(header == opened.header)
    #expect(after.mark == opened.mark)
    #expect(after.area.backingFileName == opened.area.backingFileName)
    let meaningful = { (area: HeaderArea) in
      area.extensions.filter { $0.type != HeaderExtension.featureNameTable }
        .map { [UInt8]("\($0.type)".utf8) + $0.data }
    }
    #expect(Set(meaningful(after.area)) == Set(meaningful(opened.area)))
    opened.unlock()
    after.unlock()
    // A change by qemu, and one by snapjob, go on from there.
    try QemuIO.run(["write -P 5 0 64k"], on: image.path)
    if kind != .oneBit { try image.save("later") }
    try image.expectClean()
    withExtendedLifetime(base) {}
  }

  @Test("An encrypted image is refused with our words, and means the same without the fence")
  func encrypted() throws {
    let secret = "s3cret"
    let image = try TestImage(luksSize: "1M", secret: secret)
    let options = [
      "--object", "secret,id=key,data=\(secret)", "--image-opts",
      "driver=qcow2,encrypt.key-secret=key,file.driver=file,file.filename=\(image.path)",
    ]
    try Command.run("qemu-io", ["-c", "write -P 3 0 100k"] + options)
    let raw = image.directory.path("raw")
    let content = { () throws -> String in
      try Command.run("qemu-img", ["convert"] + options + ["-O", "raw", raw])
      return try Command.sha256(ofFile: raw)
    }
    let before = (info: try info(image.path), content: try content())
    let pointer = try image.open().area.ext(HeaderExtension.luksHeader)?.data
    #expect(pointer != nil)
    try image.poke(image.fencedSector(mark).bytes, at: 0)
    for arguments in [
      ["info", "-U", "-f", "qcow2", image.path], ["check"] + options,
      ["check", "-r", "all"] + options,
    ] {
      let result = try Command.attempt("qemu-img", arguments)
      #expect(result.status == 1)
      #expect(result.standardError.hasSuffix(fenceWords), "\(result.standardError)")
    }
    try image.unfence()
    #expect(try info(image.path) == before.info)
    #expect(try content() == before.content)
    #expect(try Command.attempt("qemu-img", ["check"] + options).status == 0)
    #expect(try image.open().area.ext(HeaderExtension.luksHeader)?.data == pointer)
  }

  @Test("Whoever opens a fenced image is told whose it is; a reader waits while that may end")
  func opening() throws {
    let image = try TestImage(size: "1M")
    try image.poke(image.fencedSector(mark).bytes, at: 0)
    for purpose in [Image.Purpose.peek, .read, .check, .change, .repair] {
      let start = ContinuousClock.now
      let error = try #require(throws: Qcow2Error.self) { _ = try image.open(purpose) }
      let isWriter = [.change, .repair].contains(purpose)
      #expect((ContinuousClock.now - start >= .seconds(1)) == !isWriter, "\(purpose)")
      #expect(error.code == .commitPending)
      #expect(error.fence == mark)
      #expect(error.advice == .finishOrAbandon)
      #expect(error.path == image.path)
      for text in ["3 images", "number 2", "\(mark.commit)", "\(mark.catalog)"] {
        #expect(error.message.contains(text), "\(error)")
      }
    }
  }

  @Test("A reader that waits goes on as soon as the fence is gone")
  func waiting() throws {
    let image = try TestImage(size: "1M")
    let sector = image.directory.path("sector")
    try PosixFile(creating: sector).write(image.firstSector().bytes, at: 0)
    try image.poke(image.fencedSector(mark).bytes, at: 0)
    let null = try FileDescriptor.open("/dev/null", .readWrite)
    let unfence = try ChildProcess(
      [
        "sh", "-c", "sleep 0.1; exec dd if=\"$0\" of=\"$1\" conv=notrunc status=none", sector,
        image.path,
      ], input: null, output: null, error: null)
    try null.close()
    #expect(try image.open(.read).mark == nil)
    #expect(unfence.wait() == 0)
  }

  @Test("A fence that cannot be read is refused by everybody, and is nobody's to take away")
  func unreadable() throws {
    let image = try TestImage(size: "1M", [], ["write -P 1 0 64k"])
    let sound = try image.firstSector()
    let fenced = try image.fencedSector(mark)
    let position = try #require(
      fenced.bytes.indices.first { Array(fenced.bytes[$0...].prefix(4)) == Array("SJfn".utf8) })
    for layout in [UInt8(0), 2, 255] {
      var bytes = fenced.bytes
      bytes[position + 8] = layout
      try image.poke(bytes, at: 0)
      for purpose in [Image.Purpose.peek, .read, .change, .check, .repair] {
        let error = try #require(throws: Qcow2Error.self) { _ = try image.open(purpose) }
        #expect(error.code == .conflict, "\(error)")
      }
      #expect(throws: Qcow2Error.self) { try SectorFile(opening: image.path, .peek).unfenced() }
    }
    // The bit alone, in a header that is sound besides.
    try image.poke(sound.bytes, at: 0)
    try image.poke(UInt64(1) << 58, at: 72)
    for purpose in [Image.Purpose.read, .change, .repair] {
      #expect(throws: Qcow2Error.self) { _ = try image.open(purpose) }
    }
  }

  @Test("The fence's data say what they were made of; other data say nothing")
  func coding() throws {
    let area = try TestImage(size: "1M", ["refcount_bits=8"]).open().area
    let fence = Fence(mark, over: area)
    #expect(fence.encoded.count == 88)
    #expect(Fence(decoding: fence.encoded) == fence)
    #expect(fence.oldRefcountOrder == 3)
    for (index, value) in [(0, UInt8(2)), (1, 1), (1, 4), (2, 7)] {
      var data = fence.encoded
      data[index] = value
      #expect(Fence(decoding: data) == nil)
    }
    #expect(Fence(decoding: Array(fence.encoded.dropLast())) == nil)
    #expect(Fence(decoding: fence.encoded + [0]) == nil)
    let none = [UInt8](repeating: 0, count: 16)
    #expect(Fence(decoding: fence.encoded[..<8] + none + fence.encoded[24...]) == nil)
  }
}
