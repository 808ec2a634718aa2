import TestOracles
import Testing

@testable import Qcow2

/// Compressed clusters as qemu makes them, and damaged ones.
@Suite struct CompressedContentTests {
  static let options = [
    ["cluster_size=512"], ["cluster_size=4096"], [], ["cluster_size=2M"], ["compat=0.10"],
    ["compression_type=zstd"], ["compression_type=zstd", "cluster_size=512"],
    ["compression_type=zstd", "cluster_size=2M"], ["compression_type=zstd", "extended_l2=on"],
    ["extended_l2=on"],
  ]

  /// An image of a program's bytes, compressed by `qemu-img convert -c`; its end is inside a cluster.
  private func convertedImage(_ options: [String]) throws -> TestImage {
    let image = try TestImage()
    let raw = image.directory.path("source")
    try Command.run(
      "dd", ["if=/usr/bin/qemu-img", "of=\(raw)", "bs=1k", "count=1501", "status=none"])
    try Command.run("truncate", ["-s", "+700k", raw])
    let words = options.isEmpty ? [] : ["-o", options.joined(separator: ",")]
    try Command.run(
      "qemu-img", ["convert", "-c", "-f", "raw", "-O", "qcow2"] + words + [raw, image.path])
    return image
  }

  @Test("Converted images read as qemu reads them, and go on to after writes", arguments: options)
  func converted(options: [String]) throws {
    let image = try convertedImage(options)
    try image.expectEqualContent()
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuIO.run(
      ["write -P 1 100k 3k", "write -z 300k 70k", "discard 500k 128k", "write -P 2 2100k 1k"],
      on: image.path)
    try QemuImg.createSnapshot("b", in: image.path)
    try QemuIO.run(["write -P 3 0 700k"], on: image.path)
    try image.expectEqualContent()
  }

  @Test(
    "Part of a compressed cluster is overwritten, the rest stays", arguments: options.dropLast(2))
  func overwriting(options: [String]) throws {
    let image = try convertedImage(options)
    let raw = image.directory.path("expected")
    try QemuImg.convert(image.path, toRaw: raw)
    try image.commit { draft in
      for (offset, count) in [(70_000, 10), (131_000, 2_000), (1_500_000, 40_000)] {
        let bytes = [UInt8](repeating: 0x77, count: count)
        try draft.write(bytes, at: UInt64(offset))
        try PosixFile(opening: raw, .readWrite).write(bytes, at: Int64(offset))
      }
    }
    try image.expectEqualContent()
    #expect(try image.digest() == Command.sha256(ofFile: raw))
  }

  @Test(
    "Damaged compressed data throw with both places", arguments: ["zlib", "zstd"],
    ["garbage", "cut", "zeros"])
  func damaged(compression: String, damage: String) throws {
    let image = try convertedImage(["compression_type=\(compression)"])
    let position: UInt64 = 20 * 65536
    var reader = try GuestReader(image.open())
    guard
      case .compressed(let host, let byteCount) = try reader.mapping(at: GuestOffset(position)).0
    else {
      Issue.record("the cluster is not compressed")
      return
    }
    switch damage {
    case "garbage": try image.poke([UInt8](repeating: 0xff, count: 512), at: host.bytes)
    case "zeros": try image.poke([UInt8](repeating: 0, count: byteCount), at: host.bytes)
    default: try image.setLength(Int64(host.bytes) + 100)
    }
    reader = try GuestReader(image.open())
    for (offset, count) in [(position, 65536), (position + 100, 10)] as [(UInt64, Int)] {
      var buffer = [UInt8](repeating: 0, count: count)
      let error = try #require(throws: Qcow2Error.self) {
        try buffer.withUnsafeMutableBytes { try reader.read(into: $0, at: offset) }
      }
      #expect(error.code == .corrupt)
      #expect(error.path == image.path)
      #expect(error.offset == host.bytes)
      #expect(error.message.contains("guest offset \(position)"))
    }
  }
}
