import DeviceState
import Jobs
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

/// Streams that are not as they should be: an error, and every disk as it was.
@Suite struct BadStreamTests {
  private let bench: Workbench
  private let nodes: [Node]

  init() throws {
    bench = try Workbench()
    nodes = try bench.makeTwoDisks()
    try QemuBitmaps.add("taken", to: nodes[1].path)
  }

  /// A stream with two bitmaps of the two disks, 1 MiB each.
  private static func stream(
    _ start: [DirtyBitmapChunk] = Self.start, _ end: [DirtyBitmapChunk] = Self.end
  ) throws -> [UInt8] {
    var bytes: [UInt8] = []
    let writer = StreamWriter { run throws(StreamError) in
      bytes += run.withUnsafeBytes { Array($0) }
    }
    try writer.begin()
    try writer.write(Configuration(machineType: "none"))
    for (kind, chunks) in [(SectionHeader.Kind.start, start), (.end, end)] {
      try writer.beginSection(
        SectionHeader(kind, id: 7, name: "dirty-bitmap", instance: 0, version: 1))
      for chunk in chunks + [.end] { try writer.write(chunk.encoded) }
      try writer.endSection(withFooter: true)
    }
    try writer.endSections()
    let description = Array(#"{"page_size": 4096, "devices": []}"#.utf8)
    try writer.beginDescription(byteCount: description.count)
    try writer.write(description)
    try writer.finish()
    return bytes
  }

  private static func chunk(
    _ node: String?, _ bitmap: String?, _ body: DirtyBitmapChunk.Body
  ) -> DirtyBitmapChunk {
    DirtyBitmapChunk(node: node.map { Array($0.utf8) }, bitmap: bitmap.map { Array($0.utf8) }, body)
  }

  private static func bits(_ count: UInt32 = 2048, _ byteCount: Int? = nil) -> DirtyBitmapChunk.Body
  {
    .bits(
      DirtyBitmapBits(
        firstSector: 0, sectorCount: count,
        byteCount.map { .bytes([0x5a] + [UInt8](repeating: 0, count: $0 - 1)) } ?? .zeroes))
  }

  private static let start = [
    chunk("disk0", "b", .start(granularity: 65536, flags: .enabled)),
    chunk("disk1", "b", .start(granularity: 65536, flags: .persistent)),
  ]
  private static let end = [
    chunk("disk0", "b", bits()), chunk(nil, nil, .complete),
    chunk("disk1", "b", bits(2048, 32)), chunk(nil, nil, .complete),
  ]

  private func receive(_ stream: [UInt8]) throws -> any PreparedWork {
    let channel = MemoryChannel(stream)
    return try BitmapReceiving(
      BitmapTransferRequest(.receive, peer: "file:test", mapping: nil),
      machine: Machine(name: nil, nodes: nodes), access: ImageAccess(log: bench.log),
      open: { _ throws(JobError) in channel }, onStage: { _ in }
    ).prepare(JobControl())
  }

  @Test func theStreamIsGoodAsItIs() throws {
    let before = try fileDigests(nodes)
    let prepared = try receive(try Self.stream())
    try prepared.undo()
    #expect(try before == fileDigests(nodes))
    try expectAgreement(nodes)
    #expect(try QemuBitmaps.list(nodes[0].path).isEmpty)
  }

  @Test func aStreamThatIsCutOffAnywhereIsRefused() throws {
    let stream = try Self.stream()
    let before = try fileDigests(nodes)
    for count in stream.indices {
      // Without its description it is whole: QEMU can leave that out.
      let isWhole = count == stream.count - 5 - 34
      if isWhole { continue }
      do {
        try receive(Array(stream[..<count])).undo()
        Issue.record("\(count) of \(stream.count) bytes were enough")
      } catch let error as JobError {
        #expect(error.message.hasSuffix("every disk is as it was"), "\(error)")
      }
    }
    #expect(try fileDigests(nodes) == before)
  }

  @Test func bytesBehindTheEndAreRefused() throws {
    #expect(throws: JobError.self) { try receive(try Self.stream() + [0]) }
  }

  @Test func flippedBitsAreRefusedOrChangeNothingButWhatTheySay() throws {
    let stream = try Self.stream()
    let before = try fileDigests(nodes)
    var acceptedCount = 0
    for index in stream.indices {
      for bit in 0..<8 {
        var stream = stream
        stream[index] ^= 1 << UInt8(bit)
        do {
          let prepared = try receive(stream)
          acceptedCount += 1
          try prepared.undo()
        } catch is JobError {
          // Refused: the disks are looked at in the end.
        }
      }
    }
    // Bits of a bitmap, its flags, the name of a machine, the text of the description: nothing says that
    // they are wrong.
    #expect(acceptedCount > 256 && acceptedCount < 700, "\(acceptedCount)")
    try expectAgreement(nodes)
    #expect(try QemuBitmaps.list(nodes[0].path).isEmpty)
    _ = before
  }

  /// What does not fit, the failure's kind, and words of its text.
  struct Misfit: Sendable, CustomTestStringConvertible {
    let kind: FailureKind
    let text: String
    var start = BadStreamTests.start
    var end = BadStreamTests.end

    init(
      _ kind: FailureKind, _ text: String, start: [DirtyBitmapChunk] = BadStreamTests.start,
      end: [DirtyBitmapChunk] = BadStreamTests.end
    ) {
      self.kind = kind
      self.text = text
      self.start = start
      self.end = end
    }

    var testDescription: String { text }
  }

  static let misfits: [Misfit] = [
    Misfit(.conflict, "Bitmap with the same name ('b') already exists", start: start + start),
    Misfit(
      .conflict, "Bitmap with the same name ('taken') already exists",
      start: [chunk("disk1", "taken", .start(granularity: 512, flags: []))]),
    Misfit(.refused, "unknown dirty bitmap 'b' for block device 'disk0'", start: []),
    Misfit(.refused, "was not sent to its end", end: Array(end[..<3])),
    Misfit(.refused, "was not sent to its end", end: []),
    Misfit(
      .refused, "Granularity must be power of 2",
      start: [chunk("disk0", "b", .start(granularity: 1000, flags: []))]),
    Misfit(.refused, "does not fit the disk", end: [chunk("disk0", "b", bits(2049))]),
    Misfit(
      .refused, "is of a disk of 1024 sectors",
      start: [chunk("disk0", "b", .start(granularity: 512, flags: []))],
      end: [chunk("disk0", "b", bits(1024)), chunk(nil, nil, .complete)]),
    Misfit(.refused, "ends inside a word", end: [chunk("disk0", "b", bits(1024))]),
    Misfit(
      .refused, "Migrated bitmap granularity doesn't match",
      end: [chunk("disk0", "b", bits(2048, 64))]),
    Misfit(.notFound, "Cannot find device='disk9'", start: [chunk("disk9", "b", start[0].body)]),
    Misfit(.refused, "too large", end: [chunk("disk0", "b", bits(2048, 10241))]),
  ]

  @Test("what does not fit is refused", arguments: misfits)
  func refused(misfit: Misfit) throws {
    let before = try fileDigests(nodes)
    let stream = try Self.stream(misfit.start, misfit.end)
    #expect {
      _ = try receive(stream)
    } throws: { error in
      guard let error = error as? JobError else { return false }
      return error.kind == misfit.kind && error.message.contains(misfit.text)
    }
    #expect(try fileDigests(nodes) == before)
  }

  @Test func aBufferOf10GiBIsRefusedBeforeItIsRead() throws {
    var stream = try Self.stream()
    // The u64 before the 32 bytes of bits.
    let bits = try #require(stream.firstIndex(of: 0x5a))
    stream.replaceSubrange(bits - 8..<bits, with: [0, 0, 0, 2, 0x80, 0, 0, 0])
    #expect {
      _ = try receive(stream)
    } throws: { error in
      "\(error)".contains("Bitmap migration stream buffer allocation request is too large")
    }
  }

  @Test func aDiskThatKeepsNoBitmapsRefusesThem() throws {
    let old = try bench.makeDisk("old", options: ["compat=0.10"])
    let nodes = [nodes[0], Node(name: self.nodes[1].name, path: old.path)]
    let before = try fileDigests(nodes)
    let channel = MemoryChannel(try Self.stream())
    #expect {
      _ = try BitmapReceiving(
        BitmapTransferRequest(.receive, peer: "file:test", mapping: nil),
        machine: Machine(name: nil, nodes: nodes), access: ImageAccess(log: bench.log),
        open: { _ throws(JobError) in channel }, onStage: { _ in }
      ).prepare(JobControl())
    } throws: { error in
      "\(error)".contains("Cannot store dirty bitmaps in qcow2 v2 files")
    }
    #expect(try fileDigests(nodes) == before)
  }
}
