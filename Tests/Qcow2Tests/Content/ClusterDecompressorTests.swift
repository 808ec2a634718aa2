import Testing

@testable import Qcow2

@Suite struct ClusterDecompressorTests {
  /// "hello" in one stored block of raw deflate.
  private static let deflate: [UInt8] = [1, 5, 0, 0xfa, 0xff] + Array("hello".utf8)
  /// "hello" in one raw block of a frame that does not say how long its content is.
  private static let zstd: [UInt8] =
    [
      0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x29, 0x00, 0x00,
    ] + Array("hello".utf8)

  /// What is inflated into a buffer of a size, and what the decompressor said of it.
  private func inflate(
    _ method: ClusterDecompressor, _ data: [UInt8], byteCount: Int
  ) -> (text: String, problem: String?) {
    var (data, cluster) = (data, [UInt8](repeating: 0x2e, count: byteCount))
    let problem = data.withUnsafeMutableBytes { data in
      cluster.withUnsafeMutableBytes { method.inflate($0, from: data) }
    }
    return (String(decoding: cluster, as: UTF8.self), problem)
  }

  @Test("What follows the data in their last sector is ignored")
  func trailingBytes() {
    let rest = [UInt8](repeating: 0x5a, count: 100)
    #expect(inflate(.deflate, Self.deflate + rest, byteCount: 5) == ("hello", nil))
    #expect(inflate(.zstd, Self.zstd + rest, byteCount: 5) == ("hello", nil))
  }

  @Test("A cluster may be made of several zstd frames, empty and skippable ones among them")
  func frames() {
    let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]
    let empty: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x01, 0x00, 0x00]
    let data = Self.zstd + skippable + empty + Self.zstd
    #expect(inflate(.zstd, data, byteCount: 10) == ("hellohello", nil))
  }

  @Test(
    "Data that end before the cluster, that are cut, or that are none at all are damaged",
    arguments: [ClusterDecompressor.deflate, .zstd])
  func damage(method: ClusterDecompressor) throws {
    let data = method == .deflate ? Self.deflate : Self.zstd
    #expect(try #require(inflate(method, data, byteCount: 6).problem).contains("1 byte"))
    for count in 0..<data.count {
      #expect(inflate(method, Array(data[..<count]), byteCount: 5).problem != nil)
    }
    #expect(inflate(method, [UInt8](repeating: 0xff, count: 512), byteCount: 5).problem != nil)
    #expect(inflate(method, [], byteCount: 5).problem != nil)
  }

  @Test("A zstd frame longer than a cluster is damage; deflate data may go on, as for QEMU")
  func longerThanACluster() {
    #expect(inflate(.zstd, Self.zstd, byteCount: 4).problem != nil)
    #expect(inflate(.deflate, Self.deflate, byteCount: 4) == ("hell", nil))
  }

  @Test("A frame that asks for a huge window takes no memory for it")
  func hugeWindow() {
    // Window descriptor 0xf8: 2 TiB.
    var data = Self.zstd
    data[5] = 0xf8
    _ = inflate(.zstd, data, byteCount: 5)
  }
}
