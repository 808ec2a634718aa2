import TestOracles
import Testing

@testable import Qcow2

/// Images whose refcounts are too low, though nothing says so.
@Suite struct LowCountTests {
  @Test("A delete that would give away a table that another snapshot needs is refused")
  func sharedTable() throws {
    let image = try TestImage(size: "4M", [], ["write -P 1 0 256k"])
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuImg.createSnapshot("b", in: image.path)
    try QemuIO.run(["write -P 2 0 4M"], on: image.path)
    let opened = try image.open()
    let map = try MetadataMap(opened)
    let table = try #require(try opened.readL1(of: opened.table.entries[0]).first)
    opened.unlock()
    let cluster = Int((table & TableEntry.offsetMask) >> 16)
    #expect(try image.number(UInt16.self, at: map.refcount(of: cluster)) == 2)
    try image.poke(UInt16(1), at: map.refcount(of: cluster))

    let before = try image.bytes()
    var draft = try image.draft()
    try draft.deleteSnapshot(position: 0)
    let error = try #require(throws: Qcow2Error.self) { try draft.settle { _ in } }
    #expect(error.code == .corrupt)
    #expect(try image.bytes() == before)
  }

  @Test("A table in the last cluster of a file that is there in part is read as it is by qemu")
  func partialLastCluster() throws {
    let image = try TestImage(size: "64M", [], ["write -P 1 0 64k", "write -P 2 32M 64k"])
    let content = try image.digest()
    // The second table moves to the end of the file, and its zeros are cut off.
    try image.save("a")
    let map = try MetadataMap(image.open())
    let last = map.activeL2s.map(\.lowerBound).max() ?? 0
    if UInt64(try image.length()) == last + 65536 { try image.setLength(Int64(last) + 4608) }
    try image.save("b")
    #expect(try image.digest() == content)
    try image.expectClean()
  }
}
