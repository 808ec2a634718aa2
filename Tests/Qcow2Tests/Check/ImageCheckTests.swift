import TestOracles
import Testing

@testable import Qcow2

@Suite struct ImageCheckTests {
  /// Clusters of several kinds.
  static let commands = [
    "write -P 1 0 300k", "write -P 2 1M 64k", "write -z 2M 128k", "write -c -P 3 4M 2M",
    "write -c -P 4 6M 2M", "write -P 5 8M 1M", "discard 8M 64k",
  ]

  /// An image with clusters of several kinds, two snapshots, and changes behind them.
  static func makeImage(_ options: [String], size: String = "16M") throws -> TestImage {
    let image = try TestImage(size: size, options, commands)
    try QemuImg.createSnapshot("one", in: image.path)
    try QemuIO.run(["write -P 6 64k 1M", "write -P 7 9M 256k"], on: image.path)
    try QemuImg.createSnapshot("two", in: image.path)
    try QemuIO.run(["write -P 8 128k 64k"], on: image.path)
    return image
  }

  @Test(
    "An image that qemu made is clean, and all numbers are qemu's",
    arguments: [
      [], ["compat=0.10"], ["cluster_size=512"], ["cluster_size=4096"], ["cluster_size=2M"],
      ["cluster_size=2M", "refcount_bits=8"], ["refcount_bits=32"], ["refcount_bits=64"],
      ["cluster_size=512", "compat=0.10"], ["extended_l2=on"], ["compression_type=zstd"],
      ["extended_l2=on", "cluster_size=16k"],
    ])
  func cleanImage(options: [String]) throws {
    let image = try Self.makeImage(options)
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == 0)
    #expect(found.allocatedClusters > 0)
    #expect(found.compressedClusters > 0)
  }

  @Test("Refcounts narrower than a byte are read", arguments: [1, 2, 4])
  func narrowRefcounts(bits: Int) throws {
    let image = try TestImage(size: "16M", ["refcount_bits=\(bits)"], ["write -P 1 0 3M"])
    if bits > 1 { try QemuImg.createSnapshot("one", in: image.path) }
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == 0)
  }

  @Test("Compressed clusters that cross a cluster's border count for both")
  func compressedAcrossBorders() throws {
    let image = try TestImage(size: "4M", ["cluster_size=4096"])
    // Half of it is random: each cluster compresses to more than half a cluster.
    var generator = SeededGenerator(seed: 1)
    let content = (0..<512).flatMap { _ in
      generator.bytes(2500) + [UInt8](repeating: 0, count: 1596)
    }
    let raw = try TestImage(name: "raw")
    try PosixFile(creating: raw.path).write(content, at: 0)
    try Command.run(
      "qemu-img",
      [
        "convert", "-n", "-c", "-f", "raw", "-O", "qcow2", raw.path, image.path,
      ])
    try QemuImg.createSnapshot("one", in: image.path)
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == 0)
    #expect(found.compressedClusters == 512)
  }

  @Test("Metadata that was preallocated is counted")
  func preallocated() throws {
    let image = try TestImage(size: "256M", ["preallocation=metadata", "cluster_size=4096"])
    let found = try QemuFindings.expectSame(image.path)
    #expect(found.exitCode == 0)
    #expect(found.allocatedClusters == 1 << 16)
  }

  @Test("A checkpoint that throws ends the check")
  func checkpoint() throws {
    struct Stop: Error {}
    let image = try Self.makeImage([])
    var byteCount: Int64 = 0
    _ = try image.open(.check).check { byteCount += $0 }
    #expect(byteCount >= 4 * 65536)
    #expect(throws: Stop.self) { try image.open(.check).check { _ in throw Stop() } }
  }

  @Test("At most a thousand findings are kept as sentences; all are counted")
  func boundedMessages() throws {
    let image = try TestImage(size: "8M", ["cluster_size=512"], ["write 0 2M"])
    try image.setLength(image.length() / 512 * 512 + 512 * 4096)
    let map = try MetadataMap(image.open())
    for block in map.refcountBlocks.dropFirst() {
      try image.poke([UInt8](repeating: 0xff, count: 512), at: block.lowerBound)
    }
    let report = try image.open(.check).check()
    #expect(report.leaks > CheckReport.messageLimit)
    #expect(report.messages.count == CheckReport.messageLimit)
    try QemuFindings.expectSame(image.path)
  }

  @Test(
    "The area of a LUKS header is counted",
    arguments: [["encrypt.format=luks,encrypt.iter-time=10"]])
  func luks(options: [String]) throws {
    let image = try TestImage()
    try Command.run(
      "qemu-img",
      [
        "create", "-q", "-f", "qcow2", "--object", "secret,id=key,data=word", "-o",
        "encrypt.key-secret=key," + options[0], image.path, "4M",
      ])
    let found = try QemuFindings.expectSame(image.path, secret: "word")
    #expect(found.exitCode == 0)
    let length = try #require(try image.open(.check).area.luksHeader()).byteCount
    #expect(length > 65536)
  }

  @Test("A file that is no image is not checked: 63; one that is damaged beyond opening: 1")
  func exitCodesOfErrors() throws {
    let image = try TestImage()
    #expect(try QemuFindings(ours: image.path).exitCode == 1)
    _ = try PosixFile(creating: image.path)
    #expect(try QemuFindings(ours: image.path).exitCode == 63)
    try image.poke([UInt8](repeating: 7, count: 4096), at: 0)
    #expect(try QemuFindings(ours: image.path).exitCode == 63)
    try image.poke(Header.magic, at: 0)
    #expect(try QemuFindings(ours: image.path).exitCode == 1)
  }
}
