import TestOracles
import Testing

@testable import Qcow2

/// Changes of bitmaps: what is refused, and what becomes of those that nobody can believe.
@Suite struct BitmapSetTests {
  private func message(_ body: () throws -> Void) throws -> String {
    try #require(throws: Qcow2Error.self) { try body() }.message
  }

  @Test("What QEMU refuses is refused in its words")
  func refusals() throws {
    let image = try TestImage(size: "1G")
    try QemuBitmaps.add("b0", to: image.path)
    var set = BitmapSet(try image.open())
    #expect(try message { try set.add("") } == "Bitmap name cannot be empty")
    #expect(try message { try set.add("b0") } == "Bitmap already exists: b0")
    for granularity in [0, 256, 3000] as [UInt64] {
      #expect(
        try message { try set.add("b1", granularity: granularity) }
          == "Granularity must be power of 2 and at least 512")
    }
    #expect(
      try message { try set.add("b1", granularity: 4 << 30) }
        == "Granularity exceeds maximum (2147483648 bytes)")
    let long = String(repeating: "x", count: 1024)
    #expect(try message { try set.add(long) } == "Name length exceeds maximum (1023 characters)")
    for edit in [
      { try $0.remove("no") }, { try $0.clear("no") }, { try $0.setEnabled(true, "no") },
      { _ = try $0.repair("no") }, { _ = try $0.content(of: "no") },
    ] as [(inout BitmapSet) throws -> Void] {
      #expect(try message { try edit(&set) } == "Dirty bitmap 'no' not found")
    }
    let other = try BitmapContent(size: 2 << 30, granularityBits: 16)
    #expect(
      try message { try set.merge(other, into: "b0") }
        == "Bitmaps are of different sizes (destination size is 1073741824, source size is "
        + "2147483648) and can't be merged")
    #expect(!set.isChanged)

    let old = try TestImage(size: "1G", ["compat=0.10"])
    var oldSet = BitmapSet(try old.open())
    #expect(
      try message { try oldSet.add("b0") } == "Cannot store dirty bitmaps in qcow2 v2 files")
    let large = try TestImage(size: "3T", ["cluster_size=2097152"])
    var largeSet = BitmapSet(try large.open())
    #expect(
      try message { try largeSet.add("b0", granularity: 512) }
        == "Too much space will be occupied by the bitmap. Use larger granularity")
    let empty = try TestImage(size: "0")
    var emptySet = BitmapSet(try empty.open())
    #expect(throws: Qcow2Error.self) { try emptySet.add("b0") }
  }

  private static func bitmaps(_ count: Int) -> [BitmapSet.Member] {
    (0..<count).map {
      .init(
        bitmap: Bitmap(
          nameBytes: Array("bitmap \($0)".utf8), granularityBits: 16, isEnabled: true,
          state: .consistent), stored: nil)
    }
  }

  @Test("Many bitmaps are kept, and the one after 65,535 is refused")
  func many() throws {
    let image = try TestImage(size: "1M", ["cluster_size=512"])
    try image.edit { $0.members = Self.bitmaps(500) }
    #expect(
      try QemuImg.info(image.path)["format-specific"]?["data"]?["bitmaps"]?.array?.count == 500)
    try image.edit {
      try $0.clear("bitmap 499")
      try $0.remove("bitmap 3")
    }
    try image.expectClean()
    var set = BitmapSet(try image.open())
    #expect(set.bitmaps.count == 499)
    set.members = Self.bitmaps(65534)
    try set.add("last")
    #expect(
      try message { try set.add("too many") }
        == "Maximum number of persistent bitmaps is already reached")
  }

  @Test("A bitmap that was in use when QEMU was killed is told, removed or made wholly dirty")
  func inUse() throws {
    let image = try TestImage(size: "64M")
    try QemuBitmaps.add("b0", to: image.path)
    try QemuBitmaps.add("b1", to: image.path, granularity: 4096)
    let vm = try QemuVM([QemuVM.Disk("disk0", image.path)])
    // The directory says so while the machine runs.
    #expect(try Image.open(image.path, for: .peek).bitmaps.map(\.state) == [.inUse, .inUse])
    vm.kill()
    let opened = try image.open()
    #expect(opened.bitmaps.map(\.isInconsistent) == [true, true])
    var set = BitmapSet(opened)
    #expect(
      try message { try set.clear("b0") } == "Bitmap 'b0' is inconsistent and cannot be used")
    #expect(
      try message { _ = try set.content(of: "b0") }
        == "Bitmap 'b0' is inconsistent and cannot be used")
    #expect(
      try message { _ = try set.content(at: 1) }
        == "Bitmap 'b1' is inconsistent and cannot be used")

    opened.unlock()
    try image.edit { try $0.repair("b1") }
    let repaired = try image.open()
    #expect(repaired.bitmaps.map(\.state) == [.inUse, .consistent])
    #expect(try repaired.bitmapContent(named: "b1").dirtyRanges() == [0..<64 << 20])
    repaired.unlock()
    let listed = try QemuBitmaps.list(image.path)
    #expect(listed["b1"]?["count"]?.int == 64 << 20)
    #expect(listed["b1"]?["recording"]?.bool == true)
    #expect(listed["b0"]?["inconsistent"]?.bool == true)
    try image.edit { try $0.remove("b0") }
    try image.expectClean()
    #expect(try QemuBitmaps.list(image.path).keys.sorted() == ["b1"])
  }

  @Test("Outdated bitmaps are told, kept as such and repaired, and take no cluster with them")
  func outdated() throws {
    let image = try TestImage(size: "64M", [], ["write -P 1 0 1M"])
    try QemuBitmaps.add("b0", to: image.path)
    try QemuBitmaps.add("b1", to: image.path)
    // What a program does that does not know bitmaps: it clears the bit and keeps the extension.
    try image.poke(UInt64(0), at: 88)
    #expect(try image.open().bitmaps.map(\.state) == [.outdated, .outdated])
    let draft = try image.draft()
    var set = draft.bitmaps
    #expect(
      try message { try set.clear("b0") } == "Bitmap 'b0' is inconsistent and cannot be used")

    // The old directory's clusters are leaks, so the check after each step is not clean yet.
    var repair = draft
    try repair.bitmaps.repair("b1")
    try repair.settle { _ in }
    let prepared = try repair.prepare { _ in }
    try prepared.publish()
    try prepared.finish()
    prepared.image.unlock()
    #expect(try image.open().bitmaps.map(\.state) == [.inUse, .consistent])
    let report = try image.open(.check).check()
    #expect(report.corruptions == 0)
    #expect(report.leaks > 0)
    try Command.run("qemu-img", ["check", "-q", "-r", "leaks", "-f", "qcow2", image.path])
    try image.expectClean()
    let listed = try QemuBitmaps.list(image.path)
    #expect(listed["b0"]?["inconsistent"]?.bool == true)
    #expect(listed["b1"]?["count"]?.int == 64 << 20)
  }

  @Test("Bits that would fill the memory are refused")
  func memory() throws {
    let image = try TestImage(size: "2T", ["cluster_size=2097152"])
    var set = BitmapSet(try image.open())
    // Every other bit of 512 MiB, twice, is what is allowed; pages are shared here, counted as if not.
    var content = try BitmapContent(size: 2 << 40, granularityBits: 9)
    let page = [UInt8](repeating: 0x55, count: 1 << 20)
    for offset in stride(from: 0, to: 512 << 20, by: 1 << 20) {
      try content.replace(page, at: offset)
    }
    try set.add("b0", content: content)
    #expect(throws: Qcow2Error.self) { try set.add("b1", content: content) }
    #expect(set.bitmaps.map(\.name) == ["b0"])
  }
}
