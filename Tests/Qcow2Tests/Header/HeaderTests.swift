import TestOracles
import Testing

@testable import Qcow2

@Suite struct HeaderTests {
  @Test(
    "A header is encoded as it was decoded",
    arguments: [
      [], ["compat=0.10"], ["cluster_size=512"], ["refcount_bits=64"], ["lazy_refcounts=on"],
    ])
  func roundTrip(options: [String]) throws {
    let image = try TestImage(size: "7M", options)
    try QemuImg.createSnapshot("one", in: image.path)
    let header = try image.open().header
    let bytes = try image.bytes()
    #expect(header.encoded() == Array(bytes[..<header.byteCount]))
    #expect(header.byteCount == (options == ["compat=0.10"] ? 72 : 112))
    #expect(header.size == 7 << 20)
  }

  @Test("Bytes that a later version put behind the header are kept")
  func unknownHeaderBytes() throws {
    let image = try TestImage(size: "1M")
    var bytes = Array(try image.bytes()[..<104]) + [0, 1, 2, 3, 4, 5, 6, 7] + Array(8..<24)
    bytes[103] = UInt8(bytes.count)
    let header = try Header(decoding: bytes)
    #expect(header.rest == [0, 1, 2, 3, 4, 5, 6, 7] + Array(8..<24))
    #expect(header.encoded() == bytes)
  }

  @Test("A header cut anywhere throws")
  func truncatedHeader() throws {
    for options in [[], ["compat=0.10"]] as [[String]] {
      let image = try TestImage(size: "1M", options)
      let bytes = try image.bytes()
      let length = try Header(decoding: bytes).byteCount
      for count in 0..<length {
        #expect(throws: Qcow2Error.self) { try Header(decoding: Array(bytes[..<count])) }
      }
    }
  }

  @Test("What qemu-img says of an image is what the summary says")
  func summary() throws {
    for options in [
      [], ["compat=0.10"], ["cluster_size=4096", "lazy_refcounts=on"], ["refcount_bits=1"],
      ["compression_type=zstd"], ["extended_l2=on"],
    ] as [[String]] {
      let image = try TestImage(size: "5M", options)
      if options != ["refcount_bits=1"] { try QemuImg.createSnapshot("one", in: image.path) }
      let info = try QemuImg.info(image.path)
      let summary = try image.open().summary()
      let specific = info["format-specific"]?["data"]
      #expect(summary.virtualSize == UInt64(info["virtual-size"]?.int ?? 0))
      #expect(summary.actualSize == info["actual-size"]?.int)
      #expect(summary.clusterSize == Int(info["cluster-size"]?.int ?? 0))
      #expect(summary.version == (specific?["compat"]?.string == "0.10" ? 2 : 3))
      #expect(summary.refcountBits == Int(specific?["refcount-bits"]?.int ?? 0))
      #expect(summary.hasLazyRefcounts == (specific?["lazy-refcounts"]?.bool ?? false))
      #expect(summary.hasExtendedL2 == (specific?["extended-l2"]?.bool ?? false))
      #expect(summary.compressionType == specific?["compression-type"]?.string)
      #expect(summary.isCorrupt == (specific?["corrupt"]?.bool ?? false))
      #expect(summary.snapshots.map(\.name) == (try QemuImg.snapshotNames(image.path)))
      #expect(!summary.isDirty)
      #expect(!summary.isEncrypted)
    }
  }
}
