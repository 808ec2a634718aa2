import TestOracles
import Testing

@testable import Qcow2

/// Extended L2 entries: single subclusters that are stored, zeros or unallocated.
@Suite struct SubclusterContentTests {
  /// Subclusters are 2 KiB here; the last cluster of the disk is not whole.
  private func image(_ options: [String] = []) throws -> TestImage {
    try TestImage(
      size: "1000k", ["extended_l2=on"] + options,
      [
        "write -P 1 2k 2k", "write -P 2 10k 1k", "write -z 12k 4k", "write -P 3 64k 64k",
        "write -z 70k 6k", "discard 80k 4k", "write -z -u 128k 64k", "write -P 4 200k 100k",
        "discard 256k 64k", "write -c -P 5 320k 64k", "write -P 6 999k 1k",
      ])
  }

  @Test(
    "Subclusters read as qemu reads them, in the active state and in snapshots",
    arguments: [[], ["cluster_size=16k"], ["cluster_size=2M"]])
  func content(options: [String]) throws {
    let options = ["extended_l2=on"] + options
    let image = try TestImage(
      size: "1000k", options, ["write -P 1 2k 2k", "write -z 512 2k", "write -P 9 500k 499k"])
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuIO.run(
      ["write -P 2 3k 30k", "write -z -u 0 32k", "discard 512k 256k", "write -P 3 600k 512"],
      on: image.path)
    try image.expectEqualContent()
    try image.expectEqualMap()
  }

  @Test("Extents are exact to the subcluster")
  func extents() throws {
    let image = try image()
    try image.expectEqualContent()
    try image.expectEqualMap()
    var reader = try GuestReader(image.open())
    var extents: [GuestExtent] = []
    var offset: UInt64 = 0
    while offset < 80 << 10 {
      let extent = try reader.extent(at: offset, atMost: 80 << 10)
      extents.append(extent)
      offset = extent.range.upperBound
    }
    let expected: [(UInt64, GuestExtent.Kind)] = [
      (2, .unallocated), (4, .data), (10, .unallocated), (12, .data), (16, .zero),
      (64, .unallocated), (70, .data), (76, .zero), (128, .data),
    ]
    #expect(extents.map(\.range.upperBound) == expected.map { $0.0 << 10 })
    #expect(extents.map(\.kind) == expected.map(\.1))
  }

  @Test("An extent begins and ends where it is asked to, even inside a subcluster")
  func partialExtents() throws {
    var reader = try GuestReader(image().open())
    let extent = try reader.extent(at: (64 << 10) + 100, atMost: 1000)
    #expect(extent == GuestExtent(range: 65636..<66636, kind: .data))
    let last = try reader.extent(at: 999 << 10, atMost: .max)
    #expect(last == GuestExtent(range: (999 << 10)..<(1000 << 10), kind: .data))
  }

  @Test("A subcluster that is both stored and zeros is corrupt, with its place")
  func invalidBitmap() throws {
    let image = try image()
    let table = try #require(try MetadataMap(image.open()).activeL2s.first).lowerBound
    try image.poke(UInt32.max, at: table + 8)
    try image.poke(UInt32.max, at: table + 12)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.digest() }
    #expect(error.code == .corrupt)
    #expect(error.offset == table)
    #expect(error.message.contains("guest offset 0:"))
  }

  @Test("Unallocated subclusters of an image with a backing file come from there")
  func backingFile() throws {
    let base = try TestImage(size: "1M", [], ["write -P 1 0 1M"])
    let image = try TestImage()
    try QemuImg.create(
      image.path, size: "1M", options: ["extended_l2=on"], backingFile: base.path)
    try QemuIO.run(["write -P 2 64k 2k", "write -z 66k 2k"], on: image.path)
    var reader = try GuestReader(image.open())
    var buffer = [UInt8](repeating: 9, count: 4096)
    try buffer.withUnsafeMutableBytes { try reader.read(into: $0, at: 64 << 10) }
    #expect(buffer == [UInt8](repeating: 2, count: 2048) + [UInt8](repeating: 0, count: 2048))
    let error = try #require(throws: Qcow2Error.self) {
      try buffer.withUnsafeMutableBytes { try reader.read(into: $0, at: 68 << 10) }
    }
    #expect(error.code == .unsupported)
    #expect(error.message.contains("guest offset 69632 comes from the backing file '\(base.path)'"))
  }
}
