import TestOracles
import Testing

@testable import Qcow2

@Suite struct SnapshotSpaceTests {
  private static let kinds: [(options: [String], compresses: Bool)] = [
    (["cluster_size=512"], true), (["cluster_size=4096"], true), ([], true),
    (["compat=0.10", "cluster_size=4096"], true), (["extended_l2=on"], true),
    (["cluster_size=2M"], false), (["refcount_bits=64", "cluster_size=1024"], false),
    (["refcount_bits=4", "cluster_size=4096"], false),
  ]

  /// An image with five snapshots, the last two of them of one state.
  private func makeImage(kind index: Int) throws -> TestImage {
    let kind = Self.kinds[index]
    var generator = SeededGenerator(seed: UInt64(100 + index))
    let image = try TestImage(size: "8M", kind.options)
    let clusterSize = try image.open().clusterSize
    for round in 0..<4 {
      var commands: [String] = []
      for step in 0..<4 {
        let offset = Int.random(in: 0..<2_000_000, using: &generator)
        let count = Int.random(in: 1...400_000, using: &generator)
        commands.append(
          ["write -P \(round + 1)", "write -P 9", "write -z", "discard"]
            .randomElement(using: &generator).map { "\($0) \(offset) \(count)" } ?? "")
        guard kind.compresses else { continue }
        // qemu does not compress over what is there, so each has a place of its own; some go away again.
        let cluster = 5_400_000 / clusterSize + 4 * round + step
        commands.append("write -c -P \(round) \(cluster * clusterSize) \(clusterSize)")
        guard round > 0, round == 2 || step < 2 else { continue }
        commands.append("discard \((cluster - 4) * clusterSize) \(clusterSize)")
      }
      try QemuIO.run(commands, on: image.path)
      try round % 2 == 0
        ? image.save("s\(round)") : QemuImg.createSnapshot("s\(round)", in: image.path)
    }
    try image.save("s4")
    return image
  }

  /// Clusters that are counted as used, without those of the snapshot table.
  private func usedClusters(_ path: String) throws -> Int {
    let image = try Image.open(path, for: .read)
    let refcounts = try image.loadRefcounts()
    let used = (0..<refcounts.loadedEnd).count { refcounts[HostCluster($0)] > 0 }
    return used - image.geometry.clusterCount(bytes: image.table.byteCount)
  }

  @Test("What a snapshot uses is what qemu-img and we free by deleting it", arguments: 0..<8)
  func used(kind: Int) throws {
    let image = try makeImage(kind: kind)
    let opened = try image.open()
    let space = try opened.snapshotSpace()
    let before = try usedClusters(image.path)
    let copy = image.directory.path("copy.qcow2")
    for (position, snapshot) in opened.snapshots.enumerated() {
      try Command.run("cp", [image.path, copy])
      try QemuImg.deleteSnapshot(snapshot.name, in: copy)
      let freed = before - (try usedClusters(copy))
      #expect(space[position].used == UInt64(freed * opened.clusterSize), "\(snapshot.name)")

      var draft = try ImageDraft(opened)
      try draft.deleteSnapshot(position: position)
      try draft.settle { _ in }
      #expect(draft.freedByteCount == Int64(freed * opened.clusterSize), "\(snapshot.name)")
    }
    #expect(space.contains { $0.used > UInt64(2 * opened.clusterSize) })
    try image.expectClean()
  }

  @Test(
    "What a snapshot refers to is its tables and each data cluster once",
    arguments: [[], ["cluster_size=512"], ["compat=0.10", "cluster_size=4096"]])
  func referenced(options: [String]) throws {
    let image = try TestImage(size: "3M", options, ["write -P 1 0 1M", "write -P 2 2M 1000"])
    try image.save("a")
    try QemuIO.run(["write -P 3 500k 700k", "write -z 2M 64k", "discard 0 128k"], on: image.path)
    try image.save("b")
    try image.save("c")
    let opened = try image.open()
    let space = try opened.snapshotSpace()
    let geometry = opened.geometry
    for (position, entry) in opened.table.entries.enumerated() {
      var reader = try GuestReader(opened, snapshot: position)
      var clusters: Set<HostOffset> = []
      for offset in stride(from: 0, to: reader.size, by: geometry.clusterSize) {
        switch try reader.mapping(at: GuestOffset(offset)).0 {
        case .data(let host), .zero(let host?): clusters.insert(host)
        default: break
        }
      }
      let l1 = try opened.readL1(of: entry).map { $0 & TableEntry.offsetMask }
      clusters.formUnion(l1.filter { $0 != 0 }.map(HostOffset.init))
      let count = clusters.count + geometry.clusterCount(bytes: l1.count * 8)
      #expect(space[position].referenced == UInt64(count * geometry.clusterSize))
    }
    #expect(space[1].referenced == space[2].referenced)
    #expect(space[0].referenced != space[1].referenced)
  }

  @Test("Compressed clusters are referenced by the sectors that they take") func compressed() throws
  {
    let image = try TestImage(size: "1M", [], ["write -c -P 1 0 64k", "write -c -P 2 64k 64k"])
    try image.save("a")
    let referenced = try image.open().snapshotSpace()[0].referenced
    // An L1 and an L2 table, and two clusters of one byte's repetition.
    #expect(referenced > 2 << 16)
    #expect(referenced <= 2 << 16 + 4 * 512)
  }

  @Test("Tables that several snapshots have are read once") func readsOnce() throws {
    let image = try TestImage(size: "1M", [], ["write -P 1 0 64k"])
    for number in 0..<50 { try QemuImg.createSnapshot("s\(number)", in: image.path) }
    let opened = try image.open()
    let space = try opened.snapshotSpace()
    #expect(space.count == 50)
    // The L1 table alone is its own.
    #expect(space.allSatisfy { $0.used == 65536 && $0.referenced == 3 * 65536 })
  }

  @Test("A table beyond the end of the file is an error") func damage() throws {
    let image = try TestImage(size: "1M", [], ["write -P 1 0 64k"])
    try image.save("a")
    let l1 = try image.open().table.entries[0].l1TableOffset.bytes
    try image.poke(UInt64(1) << 40, at: l1)
    let error = try #require(throws: Qcow2Error.self) { try image.open().snapshotSpace() }
    #expect(error.code == .corrupt)
    #expect(error.path == image.path)
  }

  @Test("Lazy refcounts that nobody brought up to date are counted anew") func dirty() throws {
    let image = try TestImage(
      size: "2M", ["lazy_refcounts=on", "cluster_size=4096"], ["write -P 1 0 1M"])
    try QemuImg.createSnapshot("a", in: image.path)
    let commands = ["write -P 2 512k 1M", "flush", "sigraise 9"].flatMap { ["-c", $0] }
    _ = try Command.attempt("qemu-io", ["-f", "qcow2"] + commands + [image.path])
    #expect(try image.open().header.incompatible.contains(.dirty))
    let repaired = image.directory.path("repaired")
    try Command.run("cp", [image.path, repaired])
    try QemuIO.run(["read 0 512"], on: repaired)
    let space = try image.open().snapshotSpace()
    #expect(try space == Image.open(repaired, for: .read).snapshotSpace())
    #expect(space[0].used > 512 << 10)
  }
}
