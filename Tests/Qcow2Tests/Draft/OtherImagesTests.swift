import TestOracles
import Testing

@testable import Qcow2

/// Saves, loads and deletes on images with features that few images have.
@Suite struct OtherImagesTests {
  @Test(
    "Compressed clusters, subclusters and preallocated zeros are shared and freed like others",
    arguments: [
      ["cluster_size=65536"], ["extended_l2=on"], ["compression_type=zstd"],
      ["compat=0.10", "cluster_size=4096"], ["lazy_refcounts=on"],
    ])
  func features(options: [String]) throws {
    let image = try TestImage(size: "16M", options, ImageCheckTests.commands)
    let first = try QemuImg.contentDigest(image.path)
    try image.save("a")
    try QemuIO.run(["write -P 9 4M 100k", "write -P 9 30k 1k", "write -z 9M 64k"], on: image.path)
    let second = try QemuImg.contentDigest(image.path)
    try image.save("b")
    try image.load("a")
    #expect(try QemuImg.contentDigest(image.path) == first)
    #expect(try QemuImg.contentDigest(image.path, snapshot: "b") == second)
    try image.delete("a")
    try image.delete("b")
    #expect(try QemuImg.contentDigest(image.path) == first)
  }

  @Test("What comes from a backing file goes on coming from it")
  func backingFile() throws {
    let base = try TestImage(size: "4M", [], ["write -P 1 0 4M"])
    let image = try TestImage()
    try QemuImg.create(image.path, size: "4M", backingFile: base.path)
    try QemuIO.run(["write -P 2 1M 64k"], on: image.path)
    let first = try QemuImg.contentDigest(image.path)
    try image.save("a")
    try QemuIO.run(["write -P 3 0 2M"], on: image.path)
    try image.load("a")
    #expect(try QemuImg.contentDigest(image.path) == first)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.digest() }
    #expect(error.code == .unsupported)
    try image.delete("a")
  }

  @Test("Persistent bitmaps stay valid through a save and a delete")
  func bitmaps() throws {
    let image = try TestImage(size: "4M", [], ["write -P 1 0 1M"])
    try Command.run("qemu-img", ["bitmap", "--add", "-f", "qcow2", image.path, "b0"])
    try QemuIO.run(["write -P 2 1M 1M"], on: image.path)
    let map = { () throws -> JSONValue? in
      try QemuImg.info(image.path)["format-specific"]?["data"]?["bitmaps"]
    }
    let before = try map()
    try image.save("a")
    #expect(try map() == before)
    try image.delete("a")
    #expect(try map() == before)
    #expect(try image.open().bitmaps.map(\.name) == ["b0"])
  }

  @Test("Bitmaps that another program has outdated and freed are not in the way")
  func outdatedBitmaps() throws {
    let image = try TestImage(size: "4M", [], ["write -P 1 0 1M"])
    try Command.run("qemu-img", ["bitmap", "--add", "-f", "qcow2", image.path, "b0"])
    // What a program does that does not know bitmaps: it clears the bit and keeps the extension.
    try image.poke(UInt64(0), at: 88)
    let cluster = try image.open().cluster
    try Command.run("qemu-img", ["check", "-q", "-r", "leaks", "-f", "qcow2", image.path])
    try image.poke(cluster, at: 0)
    #expect(try image.open().area.ext(HeaderExtension.bitmaps) != nil)
    try image.expectClean()
    try image.save("a")
    try image.delete("a")
    #expect(try image.open().bitmapEntries == [])
  }

  @Test(
    "Snapshots of a live VM are listed, loaded and deleted; their VM state leaves the disk alone")
  func liveSnapshots() throws {
    let image = try TestImage(size: "4M", [], ["write -P 1 0 1M"])
    let vm = try QemuVM([QemuVM.Disk("disk0", image.path)])
    try vm.runSnapshotJob("snapshot-save", tag: "live", vmstate: "disk0", devices: ["disk0"])
    let seen = try Image.open(image.path, for: .peek)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.open(.change) }
    #expect(error.code == .inUse)
    #expect(error.holder != nil)
    try vm.quit()

    let entry = try #require(seen.snapshots.first)
    #expect(entry.name == "live")
    #expect(entry.vmStateSize > 100_000)
    #expect(entry.icount == nil)
    #expect(entry.diskSize == 4 << 20)
    try image.expectClean()
    let first = try QemuImg.contentDigest(image.path)
    try QemuIO.run(["write -P 2 0 512k"], on: image.path)
    try image.load("live")
    #expect(try QemuImg.contentDigest(image.path) == first)
    // The active L1 covers the disk and nothing else.
    #expect(try image.open().header.l1Size == 1)
    #expect(try image.open().snapshots == seen.snapshots)

    // A VM starts from it, lists ours and deletes it.
    try image.save("ours")
    let again = try QemuVM(
      [QemuVM.Disk("disk0", image.path)], arguments: ["-loadvm", "live"])
    let listed = try again.monitor("info snapshots")
    #expect(listed.contains("live"))
    try again.runSnapshotJob("snapshot-delete", tag: "ours", vmstate: nil, devices: ["disk0"])
    try again.quit()
    try image.expectClean()
    #expect(try QemuImg.snapshotNames(image.path) == ["live"])
    try image.delete("live")
    #expect(try QemuImg.contentDigest(image.path) == first)
  }

  @Test("VM state that a program left in the active state goes away with any change")
  func leftVMState() throws {
    let image = try TestImage(size: "4M", [], ["write -P 1 0 1M"])
    let vm = try QemuVM([QemuVM.Disk("disk0", image.path)])
    try vm.runSnapshotJob("snapshot-save", tag: "live", vmstate: "disk0", devices: ["disk0"])
    try vm.runSnapshotJob("snapshot-load", tag: "live", vmstate: "disk0", devices: ["disk0"])
    try vm.quit()
    #expect(try image.open().header.l1Size > 1)
    try image.save("ours")
    #expect(try image.open().header.l1Size == 1)
    #expect(try image.open().table.entries.map(\.l1Size)[1] == 1)
  }
}
