import TestOracles
import Testing

@testable import Qcow2

@Suite struct UnsharedClustersTests {
  @Test("What the active state shares with no snapshot is counted by clusters")
  func counted() throws {
    let image = try TestImage(size: "1M", ["cluster_size=4096"], ["write -P 1 0 256k"])
    try image.save("a")
    #expect(try image.open().unsharedActiveByteCount() == 0)
    try QemuIO.run(["write -P 2 128k 16k"], on: image.path)
    // The L2 table is the active state's own now as well, but holds no data.
    #expect(try image.open().unsharedActiveByteCount() == 16 << 10)
    try image.expectClean()
  }

  @Test("Lazy refcounts that nobody brought up to date are counted anew") func dirty() throws {
    let image = try TestImage(
      size: "2M", ["lazy_refcounts=on", "cluster_size=4096"], ["write -P 1 0 1M"])
    try QemuImg.createSnapshot("a", in: image.path)
    let commands = ["write -P 2 512k 1M", "flush", "sigraise 9"].flatMap { ["-c", $0] }
    _ = try Command.attempt("qemu-io", ["-f", "qcow2"] + commands + [image.path])
    #expect(try image.open().header.incompatible.contains(.dirty))
    #expect(try image.open().unsharedActiveByteCount() == 1 << 20)
    try QemuIO.run(["read 0 512"], on: image.path)
    #expect(try image.open().unsharedActiveByteCount() == 1 << 20)
    try image.expectClean()
  }
}
