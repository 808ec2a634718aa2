import TestOracles
import Testing

@testable import Qcow2

/// A kind of image that VM state must go into and come out of.
struct StateKind: Sendable, CustomTestStringConvertible {
  let options: [String]
  let size: String
  let byteCount: Int

  var testDescription: String { options.joined(separator: ",") }

  static let all: [StateKind] = [
    StateKind(options: ["compat=0.10", "cluster_size=512"], size: "1M", byteCount: 70_001),
    StateKind(options: ["compat=1.1", "cluster_size=512"], size: "1M", byteCount: 65_536),
    StateKind(options: ["compat=0.10", "cluster_size=4096"], size: "3M", byteCount: 2_500_001),
    StateKind(options: ["compat=1.1", "cluster_size=4096"], size: "4M", byteCount: 5_000_000),
    StateKind(options: ["compat=1.1", "cluster_size=65536"], size: "8M", byteCount: 5_000_000),
    StateKind(options: ["compat=1.1", "cluster_size=2M"], size: "8M", byteCount: 3_000_000),
    StateKind(
      options: ["compat=1.1", "cluster_size=16384", "extended_l2=on"], size: "40M",
      byteCount: 1_234_567),
    StateKind(
      options: ["compat=1.1", "cluster_size=65536", "refcount_bits=4"], size: "8M",
      byteCount: 1),
    StateKind(
      options: ["compat=1.1", "cluster_size=512", "refcount_bits=64"], size: "100k",
      byteCount: 40_000),
  ]
}

@Suite struct VMStateTests {
  private let date = ImageDraft.SnapshotDate(seconds: 1_700_000_000, nanoseconds: 5)

  @Test("VM state is copied into a snapshot, and QEMU finds it", arguments: StateKind.all)
  func copied(kind: StateKind) throws {
    let image = try TestImage(
      size: kind.size, kind.options, ["write -P 1 0 60k", "write -P 2 64k 10k"])
    let content = try QemuImg.contentDigest(image.path)
    let state = StateBytes(count: kind.byteCount)
    try image.commit {
      try $0.takeSnapshot(
        tag: "a", date: date, vmState: .copied(from: state, vmClockNanoseconds: 77))
    }
    let snapshot = try #require(try image.open().snapshots.first)
    #expect(snapshot.vmStateSize == UInt64(kind.byteCount))
    #expect(snapshot.vmClockNanoseconds == 77)
    #expect(snapshot.icount == nil)
    #expect(try image.vmState("a") == state.bytes)
    #expect(try image.vmStateByQemu("a") == state.bytes)
    #expect(try QemuImg.contentDigest(image.path) == content)
    #expect(try image.digest() == content)
    #expect(try QemuImg.contentDigest(image.path, snapshot: "a") == content)
    // The active state has none of it.
    let opened = try image.open()
    #expect(
      UInt64(try opened.readActiveL1().count)
        <= max(1, opened.geometry.l1EntryCount(diskSize: opened.virtualSize)))
    opened.unlock()
    try image.expectClean()

    try image.delete("a")
    try image.expectClean()
    #expect(try QemuImg.contentDigest(image.path) == content)
  }

  @Test(
    "VM state is shared by another snapshot, also where the disk's size differs",
    arguments: StateKind.all)
  func shared(kind: StateKind) throws {
    let image = try TestImage(size: kind.size, kind.options, ["write -P 1 0 60k"])
    let state = StateBytes(count: kind.byteCount)
    try image.commit {
      try $0.takeSnapshot(tag: "a", date: date, vmState: .copied(from: state))
    }
    let before = try image.open().snapshots[0]
    if !kind.options.contains("compat=0.10") {
      try QemuImg.resize(image.path, to: "50M")
      try image.expectClean()
    }
    let written = try image.commit { draft in
      try draft.takeSnapshot(tag: "b", date: date, vmState: try draft.vmState(ofSnapshot: 0))
      #expect(try draft.positions(keeping: draft.vmState(ofSnapshot: 0)) == [0, 1])
    }.written
    // Metadata only.
    if kind.byteCount >= 5_000_000 { #expect(written < Int64(kind.byteCount)) }
    #expect(try image.open().snapshots[1].vmStateSize == before.vmStateSize)
    for tag in ["a", "b"] { #expect(try image.vmState(tag) == state.bytes) }
    #expect(try image.vmStateByQemu("b") == state.bytes)
    try image.expectClean()

    // A draft that was read from disk again sees who shares.
    do {
      var draft = try image.draft()
      let kept = try draft.vmState(ofSnapshot: 1)
      #expect(try draft.positions(keeping: kept) == [0, 1])
      try draft.deleteSnapshot(position: 0)
      #expect(try draft.positions(keeping: kept) == [0])
      try draft.deleteSnapshot(position: 0)
      #expect(try draft.positions(keeping: kept).isEmpty)
    }
    try image.delete("a")
    #expect(try image.vmState("b") == state.bytes)
    #expect(try image.vmStateByQemu("b") == state.bytes)
    try image.load("b")
    #expect(try image.vmState("b") == state.bytes)
    try image.expectClean()
    try image.delete("b")
    try image.expectClean()
  }

  @Test("State moves to a new snapshot while its old one is replaced, without a copy")
  func replaced() throws {
    let image = try TestImage(size: "8M", [], ["write -P 1 0 1M"])
    let state = StateBytes(count: 3_000_000)
    try image.commit {
      try $0.takeSnapshot(tag: "a", date: date, vmState: .copied(from: state))
    }
    try QemuIO.run(["write -P 2 0 1M"], on: image.path)
    let written = try image.commit { draft in
      let kept = try draft.vmState(ofSnapshot: 0)
      try draft.deleteSnapshot(position: 0)
      try draft.takeSnapshot(tag: "a", date: date, vmState: kept)
    }.written
    #expect(written < 1_500_000)
    #expect(try QemuImg.snapshotNames(image.path) == ["a"])
    #expect(try image.vmState("a") == state.bytes)
    #expect(try image.vmStateByQemu("a") == state.bytes)
    try image.expectClean()
  }

  @Test("A snapshot with state that is deleted in the same draft leaves nothing")
  func deletedAtOnce() throws {
    let image = try TestImage(size: "8M", [], ["write -P 1 0 1M"])
    let written = try image.commit { draft in
      try draft.takeSnapshot(
        tag: "gone", date: date, vmState: .copied(from: StateBytes(count: 3_000_000)))
      try draft.deleteSnapshot(position: 0)
    }.written
    #expect(written < 1_000_000)
    #expect(try image.open().snapshots.isEmpty)
    try image.expectClean()
  }

  @Test("What lies behind the disk and is no VM state stays out of the new snapshot")
  func behindTheDisk() throws {
    // A disk whose header says less than its tables: what is cut off is still data.
    let image = try TestImage(size: "4M", ["cluster_size=4096"], ["write -P 1 0 4M"])
    try image.poke(UInt64(2 << 20), at: 24)
    let state = StateBytes(count: 100_000)
    try image.commit {
      try $0.takeSnapshot(tag: "a", date: date, vmState: .copied(from: state))
    }
    #expect(try image.vmState("a") == state.bytes)
    try image.expectClean()
    #expect(try image.open().readActiveL1().count == 2)
  }

  @Test("Where the copy fails, everything is undone")
  func failingCopy() throws {
    let image = try TestImage(size: "8M", [], ["write -P 1 0 1M"])
    let length = try image.length()
    var state = StateBytes(count: 9_000_000)
    state.failureOffset = 8_500_000
    #expect(throws: Qcow2Error.self) {
      _ = try image.prepare {
        try $0.takeSnapshot(tag: "a", date: date, vmState: .copied(from: state))
      }
    }
    #expect(try image.length() == length)
    #expect(try image.open().snapshots.isEmpty)
    try image.expectClean()

    // A source that ends before it said.
    struct Short: VMStateSource {
      let byteCount: UInt64 = 300_000
      mutating func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
      ) throws(Qcow2Error) -> Int { 17 }
    }
    let error = try #require(throws: Qcow2Error.self) {
      _ = try image.prepare {
        try $0.takeSnapshot(tag: "a", date: date, vmState: .copied(from: Short()))
      }
    }
    #expect(error.code == .malformed)
    try image.expectClean()
  }

  @Test("A refcount that would overflow is found before anything is written")
  func overflow() throws {
    let image = try TestImage(size: "1M", ["cluster_size=65536", "refcount_bits=1"])
    try image.commit {
      try $0.takeSnapshot(
        tag: "a", date: date, vmState: .copied(from: StateBytes(count: 100_000)))
    }
    let bytes = try image.bytes()
    let error = try #require(throws: Qcow2Error.self) {
      _ = try image.prepare { draft in
        try draft.takeSnapshot(tag: "b", date: date, vmState: try draft.vmState(ofSnapshot: 0))
      }
    }
    #expect(error.code == .tooManyReferences)
    #expect(try image.bytes() == bytes)
  }

  @Test("State of more than 4 GiB has its size in the large field, and old readers see none")
  func largeForm() throws {
    let image = try TestImage(size: "8M")
    let size: UInt64 = 5 << 30
    try image.commit { draft in
      try draft.takeSnapshot(tag: "a", date: date)
      // Nothing is allocated: all of it reads as zeros.
      let count = Int(draft.geometry.l1EntryCount(diskSize: size))
      draft.newL1s[0]? += [UInt64](repeating: 0, count: count)
      draft.table.entries[0].vmStateSize = size
    }
    try image.commit { draft in
      try draft.takeSnapshot(tag: "b", date: date, vmState: try draft.vmState(ofSnapshot: 0))
    }
    let opened = try image.open()
    #expect(opened.snapshots.map(\.vmStateSize) == [size, size])
    var reader = try VMStateReader(opened, snapshot: 1)
    #expect(reader.byteCount == size)
    var tail = [UInt8](repeating: 7, count: 20)
    let count = try tail.withUnsafeMutableBytes { try reader.read(into: $0, at: size - 5) }
    #expect(count == 5)
    #expect(tail == [0, 0, 0, 0, 0] + [UInt8](repeating: 7, count: 15))
    opened.unlock()
    #expect(try QemuImg.snapshotTable(image.path).contains("5 GiB"))
    try image.expectClean()
  }

  @Test("Compressed state of foreign images is read and shared", arguments: ["zlib", "zstd"])
  func compressed(type: String) throws {
    let image = try TestImage(
      size: "4M", ["cluster_size=4096", "compression_type=\(type)"],
      ["write -P 1 0 100k"] + (0..<75).map { "write -c -P \($0 + 10) \(2048 + $0 * 4)k 4k" })
    // What was written behind 2 MiB becomes the state of a disk that ends there.
    try image.commit { draft in
      try draft.takeSnapshot(tag: "a", date: date)
      draft.table.entries[0].diskSize = 2 << 20
      draft.table.entries[0].vmStateSize = 300 * 1024 - 7
    }
    let expected = Array(
      (0..<75).flatMap { [UInt8](repeating: UInt8($0 + 10), count: 4096) }.dropLast(7))
    #expect(try image.vmState("a") == expected)
    try image.load("a")
    try image.commit { draft in
      try draft.takeSnapshot(tag: "b", date: date, vmState: try draft.vmState(ofSnapshot: 0))
    }
    try image.delete("a")
    #expect(try image.vmState("b") == expected)
    #expect(try image.vmStateByQemu("b") == expected)
    try image.expectClean()
  }

  @Test("State of a disk with a backing file never comes from there")
  func backingFile() throws {
    let image = try TestImage()
    let base = image.directory.path("base.qcow2")
    try QemuImg.create(base, size: "64M", options: [])
    try QemuIO.run(["write -P 9 0 64M"], on: base)
    try QemuImg.create(image.path, size: "1M", options: ["cluster_size=512"], backingFile: base)
    let state = StateBytes(count: 50_000)
    try image.commit {
      try $0.takeSnapshot(tag: "a", date: date, vmState: .copied(from: state))
    }
    #expect(try image.vmState("a") == state.bytes)
    try image.commit { draft in
      try draft.takeSnapshot(tag: "b", date: date)
      draft.newL1s[1]? += [0, 0]
      draft.table.entries[1].vmStateSize = 40_000
    }
    #expect(try image.vmState("b") == [UInt8](repeating: 0, count: 40_000))
    try image.expectClean()
  }

  @Test("Encrypted images: state is shared without the key, and not read or written")
  func encrypted() throws {
    let image = try TestImage(luksSize: "8M", secret: "secret")
    let refusal = try #require(throws: Qcow2Error.self) {
      _ = try image.prepare {
        try $0.takeSnapshot(
          tag: "a", date: date, vmState: .copied(from: StateBytes(count: 1000)))
      }
    }
    #expect(refusal.code == .unsupported)
    #expect(refusal.message.contains("encrypted"))
    // As a machine that has the key would leave it.
    try image.commitEncrypted("secret") { draft in
      try draft.takeSnapshot(tag: "a", date: date)
      let run = try draft.refcounts.allocate(2)
      let table = draft.geometry.offset(of: run[0]).bytes
      draft.newL2s[table] =
        [draft.geometry.offset(of: run[1]).bytes]
        + [UInt64](repeating: 0, count: draft.geometry.clusterSize / 8 - 1)
      draft.newData[draft.geometry.offset(of: run[1]).bytes] = [UInt8](
        repeating: 5, count: draft.geometry.clusterSize)
      draft.addTree(table, 1)
      draft.newL1s[0]?.append(table)
      draft.table.entries[0].vmStateSize = 1000
    }
    let unread = try #require(throws: Qcow2Error.self) {
      _ = try VMStateReader(image.open(), snapshot: 0)
    }
    #expect(unread.code == .unsupported)
    #expect(unread.path == image.path)
    #expect(unread.message.contains("encrypted"))
    try image.commitEncrypted("secret") { draft in
      try draft.takeSnapshot(tag: "b", date: date, vmState: try draft.vmState(ofSnapshot: 0))
    }
    #expect(try image.open().snapshots.map(\.vmStateSize) == [1000, 1000])
    try image.commitEncrypted("secret") { try $0.deleteSnapshot(position: 0) }
    #expect(try image.open().snapshots.map(\.vmStateSize) == [1000])
  }

  @Test("Sizes that cannot be true are refused before anything is read")
  func hostileSizes() throws {
    for size: UInt64 in [.max, 1 << 63, 1 << 40, 512 << 20 + 1] {
      let image = try TestImage(size: "8M", [], ["write -P 1 0 64k"])
      try image.commit {
        try $0.takeSnapshot(
          tag: "a", date: date, vmState: .copied(from: StateBytes(count: 1000)))
      }
      try image.commit { $0.table.entries[0].vmStateSize = size }
      let error = try #require(throws: Qcow2Error.self) {
        _ = try VMStateReader(image.open(), snapshot: 0)
      }
      #expect(error.code == .corrupt)
      #expect(error.description.contains("VM state of snapshot 'a'"))
      #expect(throws: Qcow2Error.self) { try image.draft().vmState(ofSnapshot: 0) }
    }
    // A disk of nearly all there can be.
    let image = try TestImage(size: "8M")
    try image.commit {
      try $0.takeSnapshot(tag: "a", date: date)
      $0.table.entries[0].diskSize = .max
      $0.table.entries[0].vmStateSize = 1
    }
    #expect(throws: Qcow2Error.self) { try VMStateReader(image.open(), snapshot: 0) }
  }

  @Test("A snapshot of the disk only has none")
  func diskOnly() throws {
    let image = try TestImage(size: "8M")
    try image.save("a")
    let error = try #require(throws: Qcow2Error.self) {
      _ = try VMStateReader(image.open(), snapshot: 0)
    }
    #expect(error.code == .notFound)
    #expect(throws: Qcow2Error.self) { try image.draft().vmState(ofSnapshot: 0) }
  }

  @Test("State that a damaged table leads nowhere for is an error, and no trap")
  func damaged() throws {
    let image = try TestImage(size: "1M", ["cluster_size=512"])
    let state = StateBytes(count: 60_000)
    try image.commit {
      try $0.takeSnapshot(tag: "a", date: date, vmState: .copied(from: state))
    }
    let opened = try image.open()
    let entry = opened.table.entries[0]
    let first = Int(opened.geometry.l1EntryCount(diskSize: opened.virtualSize))
    let table = try opened.readL1(of: entry)[first] & TableEntry.offsetMask
    opened.unlock()
    try image.poke(UInt64(1) << 60 | 512, at: table + 8)
    let error = try #require(throws: Qcow2Error.self) { _ = try image.vmState("a") }
    #expect(error.code == .corrupt)
    #expect(error.description.contains("VM state of snapshot 'a'"))
  }
}
