import TestOracles
import Testing

@testable import Qcow2

@Suite struct GuestContentTests {
  /// Reads a range.
  private func read(_ reader: inout GuestReader, _ offset: UInt64, _ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xee, count: count)
    var span = bytes.mutableSpan
    try span.withUnsafeMutableBytes { try reader.read(into: $0, at: offset) }
    return bytes
  }

  @Test(
    "What the guest sees is what qemu-img says, in the active state and in snapshots",
    arguments: ImageKind.all)
  func digests(kind: ImageKind) throws {
    let image = try TestImage(
      size: "1500k", kind.options,
      ["write -P 1 0 300k", "write -P 2 700k 100k", "write -z 64k 70k", "discard 200k 64k"])
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuIO.run(["write -P 3 10k 1400k", "write -z 500k 1k"], on: image.path)
    #expect(try image.digest() == QemuImg.contentDigest(image.path))
    #expect(try image.digest(snapshot: 0) == QemuImg.contentDigest(image.path, snapshot: "a"))
  }

  @Test("Ranges may begin and end anywhere; behind the disk's end are zeros")
  func ranges() throws {
    let image = try TestImage(
      size: "100k", ["cluster_size=4096"], ["write -P 1 0 10k", "write -P 2 10k 90k"])
    var reader = try GuestReader(image.open())
    #expect(reader.size == 100 << 10)
    #expect(
      try read(&reader, 10_200, 80) == [UInt8](repeating: 1, count: 40)
        + [UInt8](repeating: 2, count: 40))
    #expect(try read(&reader, (100 << 10) - 3, 10) == [2, 2, 2, 0, 0, 0, 0, 0, 0, 0])
    #expect(try read(&reader, 1 << 40, 5) == [0, 0, 0, 0, 0])
    #expect(try read(&reader, UInt64.max - 10, 5) == [0, 0, 0, 0, 0])
    #expect(try read(&reader, 0, 0) == [])
  }

  @Test("A cluster behind the end of the file reads as zeros, as for QEMU")
  func behindTheEnd() throws {
    let image = try TestImage(size: "1M", [], ["write -P 1 0 64k"])
    let table = try #require(try MetadataMap(image.open()).activeL2s.first).lowerBound
    try image.poke(TableEntry.copied | 1 << 40, at: table)
    #expect(try image.digest() == QemuImg.contentDigest(image.path))
  }

  @Test("A snapshot of a disk of any size is mapped without overflow")
  func hugeSnapshot() throws {
    let image = try TestImage(size: "1M", [], ["write -P 1 0 64k"])
    try QemuImg.createSnapshot("a", in: image.path)
    let entry = try MetadataMap(image.open()).snapshotTable.lowerBound
    // The disk's size is in the extra data, behind 40 bytes and the size of the VM state.
    try image.poke(UInt64.max, at: entry + 48)
    var reader = try GuestReader(image.open(), snapshot: 0)
    #expect(reader.size == .max)
    let rest = try reader.extent(at: 65536, atMost: .max)
    #expect(rest == GuestExtent(range: 65536..<UInt64.max, kind: .unallocated))
    let end = try reader.extent(at: .max - 1, atMost: .max)
    #expect(end == GuestExtent(range: UInt64.max - 1..<UInt64.max, kind: .unallocated))
    #expect(try read(&reader, .max - 2, 5) == [0, 0, 0, 0, 0])
  }

  @Test("Random writes, saves and loads agree with a model, and with qemu-img", arguments: 0..<4)
  func randomWrites(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let size = 300_032
    let options = [["cluster_size=512"], ["cluster_size=4096"], [], ["compat=0.10"]]
    let image = try TestImage(size: "\(size)", options[Int(seed)])
    var model = [UInt8](repeating: 0, count: size)
    var saved: [String: [UInt8]] = [:]
    for round in 0..<8 {
      var draft = try image.draft()
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let offset = Int.random(in: 0..<size, using: &generator)
        let count = Int.random(in: 0...min(size - offset, 20_000), using: &generator)
        let byte = UInt8.random(in: 1...255, using: &generator)
        try draft.write([UInt8](repeating: byte, count: count), at: UInt64(offset))
        model.replaceSubrange(offset..<offset + count, with: repeatElement(byte, count: count))
      }
      let tag = "t\(round)"
      if Bool.random(using: &generator) {
        try draft.takeSnapshot(tag: tag, date: .init(seconds: 0, nanoseconds: 0))
        saved[tag] = model
      }
      if let old = saved.keys.sorted().randomElement(using: &generator), round % 3 == 2 {
        try draft.load(position: #require(try draft.position(ofTag: old)))
        model = saved[old] ?? []
      }
      try draft.settle { _ in }
      let prepared = try draft.prepare { _ in }
      try prepared.publish()
      try prepared.finish()
    }
    try image.expectClean()
    let expected = try TestImage(name: "raw")
    for (tag, content) in saved.merging(["": model], uniquingKeysWith: { $1 }) {
      try Command.run("rm", ["-f", expected.path])
      try PosixFile(creating: expected.path).write(content, at: 0)
      let digest = try Command.sha256(ofFile: expected.path)
      #expect(try QemuImg.contentDigest(image.path, snapshot: tag == "" ? nil : tag) == digest)
      let position = try image.open().snapshots.firstIndex { $0.name == tag }
      #expect(try image.digest(snapshot: position) == digest)
    }
  }

  @Test("A write behind the disk's end is refused")
  func outOfBounds() throws {
    let image = try TestImage(size: "1M")
    var draft = try image.draft()
    for (offset, count) in [(1 << 20, 1), ((1 << 20) - 1, 2), (UInt64.max, 1)] as [(UInt64, Int)] {
      let error = try #require(throws: Qcow2Error.self) {
        try draft.write([UInt8](repeating: 1, count: count), at: offset)
      }
      #expect(error.code == .overLimit)
    }
    try draft.write([], at: 1 << 20)
    try draft.write([1], at: (1 << 20) - 1)
  }

  @Test("A write behind a snapshot of the same draft is refused, and the snapshot is as taken")
  func writeAfterSnapshot() throws {
    let image = try TestImage(size: "1M", ["cluster_size=4096"])
    try image.commit { draft in
      try draft.write([1, 1, 1], at: 0)
      try draft.takeSnapshot(tag: "a", date: .init(seconds: 0, nanoseconds: 0))
      #expect(throws: Qcow2Error.self) { try draft.write([2, 2, 2], at: 0) }
    }
    var reader = try GuestReader(image.open(), snapshot: 0)
    #expect(try read(&reader, 0, 4) == [1, 1, 1, 0])
  }
}
