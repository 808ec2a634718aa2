import Glibc
import TestOracles
import Testing

@testable import Qcow2

@Suite struct TreeComparisonTests {
  /// The ranges between two snapshots by name; nil is the active state.
  private func ranges(
    _ image: TestImage, _ old: String?, _ new: String?
  ) throws -> [Range<UInt64>] {
    let opened = try image.open()
    let states = try [old, new].map { tag -> DiskState in
      guard let tag else { return .active }
      return .snapshot(try #require(opened.snapshots.firstIndex { $0.name == tag }))
    }
    return try opened.differences(from: states[0], to: states[1])
  }

  /// What random writes have touched, and the image that they were made in.
  private struct History {
    let image: TestImage
    let size: Int
    let clusterSize: Int
    /// The clusters touched between one snapshot and the next.
    var touched: [Set<Int>] = []
  }

  private static let kinds: [(options: [String], clusterSize: Int, compresses: Bool)] = [
    (["cluster_size=512"], 512, false), (["cluster_size=4096"], 4096, true), ([], 65536, true),
    (["compat=0.10", "cluster_size=4096"], 4096, false), (["extended_l2=on"], 65536, true),
    (["extended_l2=on", "cluster_size=16384"], 16384, false),
  ]

  private func makeHistory(kind index: Int) throws -> History {
    let kind = Self.kinds[index]
    var generator = SeededGenerator(seed: UInt64(index))
    // The last cluster ends behind the disk.
    let size = 1_900_032
    var history = History(
      image: try TestImage(size: "\(size)", kind.options), size: size,
      clusterSize: kind.clusterSize)
    for round in 0..<5 {
      var touched: Set<Int> = []
      var commands: [String] = []
      for _ in 0..<Int.random(in: 1...5, using: &generator) {
        var offset = Int.random(in: 0..<size, using: &generator)
        var count = Int.random(in: 1...min(size - offset, 150_000), using: &generator)
        let byte = UInt8.random(in: 1...255, using: &generator)
        var command = ["write -P \(byte)", "write -z", "discard"].randomElement(using: &generator)
        if kind.compresses, round % 2 == 1, Bool.random(using: &generator) {
          offset = offset / kind.clusterSize * kind.clusterSize
          count = min(kind.clusterSize, size - offset)
          command = "write -c -P \(byte)"
        }
        commands.append("\(command ?? "") \(offset) \(count)")
        touched.formUnion(offset / kind.clusterSize...(offset + count - 1) / kind.clusterSize)
      }
      try QemuIO.run(commands, on: history.image.path)
      history.touched.append(touched)
      if round < 4 { try QemuImg.createSnapshot("s\(round)", in: history.image.path) }
    }
    return history
  }

  @Test(
    "Ranges cover every byte that differs, and nothing that nobody touched", arguments: 0..<6)
  func random(kind: Int) throws {
    let history = try makeHistory(kind: kind)
    let image = history.image
    let tags: [String?] = ["s0", "s1", "s2", "s3", nil]
    let contents = try tags.map { tag -> [UInt8] in
      let raw = image.directory.path("raw")
      try QemuImg.convert(image.path, toRaw: raw, snapshot: tag)
      return try PosixFile(opening: raw, .read).read(byteCount: history.size, at: 0)
    }
    for (old, new) in [(0, 1), (1, 2), (2, 3), (3, 4), (0, 3), (0, 4), (4, 1)] {
      let found = try ranges(image, tags[old], tags[new])
      // What lies between the ranges is equal.
      let starts = [0] + found.map { Int($0.upperBound) }
      let ends = found.map { Int($0.lowerBound) } + [history.size]
      for (start, end) in zip(starts, ends) where start < end {
        #expect(
          Self.areEqual(contents[old], contents[new], start..<end),
          "\(tags[old] ?? "now") to \(tags[new] ?? "now"), bytes \(start) to \(end)")
      }
      let touched = history.touched[min(old, new) + 1...max(old, new)]
        .reduce(into: Set<Int>()) { $0.formUnion($1) }
      for range in found {
        let last = Int(range.upperBound - 1) / history.clusterSize
        let named = Int(range.lowerBound) / history.clusterSize...last
        #expect(named.allSatisfy(touched.contains))
      }
      for (range, next) in zip(found, found.dropFirst()) {
        #expect(range.upperBound < next.lowerBound)
      }
    }
    for tag in tags { #expect(try ranges(image, tag, tag) == []) }
  }

  private static func areEqual(_ left: [UInt8], _ right: [UInt8], _ range: Range<Int>) -> Bool {
    left.withUnsafeBytes { left in
      right.withUnsafeBytes { right in
        guard let left = left.baseAddress, let right = right.baseAddress else { return false }
        return memcmp(left + range.lowerBound, right + range.lowerBound, range.count) == 0
      }
    }
  }

  @Test("Clusters are named exactly, neighbours are one range, and the disk's end is the last byte")
  func exact() throws {
    let image = try TestImage(size: "1000k", [], ["write -P 1 0 1000k"])
    try image.save("a")
    try QemuIO.run(["write -P 2 70k 1", "write -P 2 130k 1", "write -P 2 999k 1"], on: image.path)
    #expect(try ranges(image, "a", nil) == [65536..<196_608, 983_040..<1_024_000])
  }

  @Test("With extended L2 entries subclusters are named") func subclusters() throws {
    let image = try TestImage(size: "1M", ["extended_l2=on"], ["write -P 1 128k 64k"])
    try image.save("a")
    try QemuIO.run(["write -P 2 6k 2k", "write -z 130k 4k"], on: image.path)
    #expect(try ranges(image, "a", nil).first == 6144..<8192)
    try image.save("b")
    try QemuIO.run(["write -z 6k 2k"], on: image.path)
    #expect(try ranges(image, "a", nil).allSatisfy { $0.lowerBound >= 128 << 10 })
    #expect(try ranges(image, "b", nil) == [6144..<8192])
  }

  @Test("Zeros are equal however they are kept, unless a backing file could show through")
  func zeros() throws {
    let commands = ["write -z 64k 64k", "write -P 1 256k 64k", "write -z 256k 64k"]
    let image = try TestImage(size: "1M")
    try image.save("a")
    try QemuIO.run(commands, on: image.path)
    #expect(try ranges(image, "a", nil) == [])

    let base = try TestImage(size: "1M", [], ["write -P 9 0 1M"])
    let overlay = try TestImage()
    try QemuImg.create(overlay.path, size: "1M", backingFile: base.path)
    try overlay.save("a")
    try QemuIO.run(commands, on: overlay.path)
    #expect(try ranges(overlay, "a", nil) == [65536..<131_072, 262_144..<327_680])
  }

  @Test("What only the larger disk has is a range, joined to what differs before it")
  func sizes() throws {
    let image = try TestImage(size: "100k", [], ["write -P 1 0 100k"])
    try image.save("small")
    try QemuImg.resize(image.path, to: "300k")
    try image.save("large")
    #expect(try ranges(image, "small", "large") == [102_400..<307_200])
    #expect(try ranges(image, "large", "small") == [102_400..<307_200])
    try QemuIO.run(["write -P 2 90k 1"], on: image.path)
    #expect(try ranges(image, "small", nil) == [65_536..<307_200])
  }

  @Test("VM state beyond the disk is not seen") func vmState() throws {
    let image = try TestImage(size: "1M")
    try image.save("plain")
    let vm = try QemuVM([.init("disk0", image.path)])
    try vm.runSnapshotJob("snapshot-save", tag: "live", vmstate: "disk0", devices: ["disk0"])
    try vm.quit()
    #expect(try ranges(image, "plain", "live") == [])
  }

  @Test("Tables that both states share are not read") func sharedTables() throws {
    let image = try TestImage(size: "1M", [], ["write -P 1 0 64k"])
    try image.save("a")
    let table = try image.open().readActiveL1()[0] & TableEntry.offsetMask
    try image.poke(UInt64.max, at: table)
    #expect(try ranges(image, "a", nil) == [])
  }

  @Test(
    "A damaged entry is an error, not a guess",
    arguments: [
      ([], UInt64(0x2), UInt64(0)), ([], 0x1200, 0), (["extended_l2=on"], 0, 1),
      (["extended_l2=on"], 0x50000, 0x1_0000_0001),
    ])
  func damage(options: [String], entry: UInt64, bits: UInt64) throws {
    let image = try TestImage(size: "1M", options, ["write -P 1 0 64k"])
    try image.save("a")
    try QemuIO.run(["write -P 2 0 64k"], on: image.path)
    let table = try image.open().readActiveL1()[0] & TableEntry.offsetMask
    try image.poke(entry, at: table)
    if !options.isEmpty { try image.poke(bits, at: table + 8) }
    let error = try #require(throws: Qcow2Error.self) { try ranges(image, "a", nil) }
    #expect(error.code == .corrupt)
    #expect(error.path == image.path)
  }
}
