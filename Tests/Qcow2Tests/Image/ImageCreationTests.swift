import TestOracles
import Testing

@testable import Qcow2

@Suite struct ImageCreationTests {
  @Test(
    "A new image is clean and is what was asked for",
    arguments: [512, 4096, 65536, 2 << 20], [2, 3] as [UInt32])
  func created(clusterSize: Int, version: UInt32) throws {
    let image = try TestImage()
    try Image.create(
      image.path, CreateOptions(size: 100_001, clusterSize: clusterSize, version: version))
    try image.expectClean()
    let info = try QemuImg.info(image.path)
    #expect(info["virtual-size"]?.int == 100_352)
    #expect(info["cluster-size"]?.int == Int64(clusterSize))
    #expect(
      info["format-specific"]?["data"]?["compat"]?.string == (version == 2 ? "0.10" : "1.1"))
    try QemuIO.run(["read -P 0 0 100352", "write -P 1 0 98k"], on: image.path)
    try image.expectClean()
    try image.save("a")
  }

  @Test("All refcount widths can be created", arguments: [1, 2, 4, 8, 16, 32, 64])
  func refcountWidths(bits: Int) throws {
    let image = try TestImage()
    try Image.create(
      image.path, CreateOptions(size: 1 << 30, clusterSize: 512, refcountBits: bits))
    try image.expectClean()
    try QemuIO.run(["write -P 1 0 100k", "write -P 1 900M 10k"], on: image.path)
    try image.expectClean()
  }

  @Test("Sizes from nothing to the largest are created")
  func sizes() throws {
    for (size, clusterSize) in [(0, 65536), (1 << 50, 2 << 20), (128 << 30, 512)] {
      let image = try TestImage()
      try Image.create(image.path, CreateOptions(size: UInt64(size), clusterSize: clusterSize))
      try image.expectClean()
      #expect(try image.open().virtualSize == UInt64(size))
    }
  }

  @Test("Options that the format does not allow are refused, and no file is left behind")
  func refused() throws {
    for options in [
      CreateOptions(size: 1, clusterSize: 256), CreateOptions(size: 1, clusterSize: 4 << 20),
      CreateOptions(size: 1, clusterSize: 1000), CreateOptions(size: 1, clusterSize: 0),
      CreateOptions(size: 1, clusterSize: -512), CreateOptions(size: 1, version: 1),
      CreateOptions(size: 1, version: 2, refcountBits: 8), CreateOptions(size: 1, refcountBits: 3),
      CreateOptions(size: 1, refcountBits: 128), CreateOptions(size: UInt64.max),
      CreateOptions(size: 1 << 40, clusterSize: 512), CreateOptions(size: 1, refcountBits: 0),
    ] {
      let image = try TestImage()
      let error = try #require(throws: Qcow2Error.self) { try Image.create(image.path, options) }
      #expect(error.path == image.path)
      #expect(try Command.attempt("test", ["-e", image.path]).status == 1)
    }
    let image = try TestImage(size: "1M")
    let before = try image.bytes()
    let error = try #require(throws: Qcow2Error.self) {
      try Image.create(image.path, CreateOptions(size: 1))
    }
    #expect(error.code == .conflict)
    #expect(try image.bytes() == before)
  }
}
