import TestOracles
import Testing

@testable import Qcow2

/// A kind of image that all of this must work on.
struct ImageKind: Sendable, CustomTestStringConvertible {
  let options: [String]
  let size: String

  var testDescription: String { options.joined(separator: ",") }

  static let all: [ImageKind] = ["0.10", "1.1"].flatMap { compat in
    [("512", "3M"), ("4096", "6M"), ("65536", "8M"), ("2M", "8M")].map { clusterSize, size in
      ImageKind(options: ["compat=\(compat)", "cluster_size=\(clusterSize)"], size: size)
    }
  }
}

@Suite struct SnapshotLifeTests {
  @Test(
    "Snapshots are saved, loaded and deleted while qemu writes in between", arguments: ImageKind.all
  )
  func wholeLife(kind: ImageKind) throws {
    let image = try TestImage(
      size: kind.size, kind.options, ["write -P 1 0 200k", "write -P 2 1M 300k"])
    let content = { (snapshot: String?) in
      try QemuImg.contentDigest(image.path, snapshot: snapshot)
    }
    let first = try content(nil)
    try image.save("a")
    #expect(try content(nil) == first)
    #expect(try content("a") == first)

    try QemuIO.run(["write -P 3 100k 1M", "write -z 1200k 64k"], on: image.path)
    let second = try content(nil)
    try image.expectClean()
    try image.save("b")
    try QemuIO.run(["write -P 4 0 64k", "discard 1M 128k", "write -P 5 2M 777k"], on: image.path)
    try image.expectClean()
    #expect(try content("a") == first)
    #expect(try content("b") == second)

    try image.load("a")
    #expect(try content(nil) == first)
    #expect(try content("b") == second)
    try QemuIO.run(["write -P 6 50k 100k"], on: image.path)
    try image.expectClean()
    #expect(try content("a") == first)

    // qemu-img goes on with what snapjob made.
    try QemuImg.applySnapshot("b", in: image.path)
    try image.expectClean()
    #expect(try content(nil) == second)
    try QemuImg.createSnapshot("c", in: image.path)
    try QemuIO.run(["write -P 7 10k 10k"], on: image.path)
    try image.load("c")
    #expect(try content(nil) == second)
    try image.delete("a")
    #expect(try QemuImg.snapshotNames(image.path) == ["b", "c"])
    #expect(try image.open().snapshots.map(\.id) == ["2", "3"])
    try QemuIO.run(["write -P 8 0 900k"], on: image.path)
    let last = try content(nil)
    try QemuImg.deleteSnapshot("b", in: image.path)
    try image.expectClean()
    #expect(try content("c") == second)
    try image.delete("c")
    #expect(try QemuImg.snapshotNames(image.path) == [])
    #expect(try content(nil) == last)
    #expect(try image.digest() == last)
    try image.expectClean()
  }

  @Test(
    "Several edits become true together, under one commit",
    arguments: [0, 2, 5, 7].map { ImageKind.all[$0] })
  func combinedEdits(kind: ImageKind) throws {
    let image = try TestImage(size: kind.size, kind.options, ["write -P 1 0 200k"])
    let first = try QemuImg.contentDigest(image.path)
    try image.save("a")
    try QemuIO.run(["write -P 2 64k 200k"], on: image.path)
    let second = try QemuImg.contentDigest(image.path)
    // Save the present state, replace the other snapshot's entry by a new one, and load it.
    let bytes = try image.commit(fences: true) { draft in
      try draft.takeSnapshot(tag: "now", date: .init(seconds: 1, nanoseconds: 2))
      try draft.load(position: 0)
      try draft.takeSnapshot(tag: "again", date: .init(seconds: 1, nanoseconds: 2))
      try draft.deleteSnapshot(position: 0)
    }
    #expect(bytes.written > 0)
    #expect(try QemuImg.snapshotNames(image.path) == ["now", "again"])
    #expect(try QemuImg.contentDigest(image.path) == first)
    #expect(try QemuImg.contentDigest(image.path, snapshot: "again") == first)
    #expect(try QemuImg.contentDigest(image.path, snapshot: "now") == second)
    #expect(try image.digest(snapshot: 0) == second)
    // A snapshot taken and deleted in one draft leaves nothing.
    let before = try image.open().snapshots
    try image.commit { draft in
      try draft.takeSnapshot(tag: "gone", date: .init(seconds: 1, nanoseconds: 2))
      try draft.deleteSnapshot(position: 2)
    }
    #expect(try image.open().snapshots == before)
  }

  @Test("The mark says who wrote last", arguments: [ImageKind.all[2], ImageKind.all[6]])
  func mark(kind: ImageKind) throws {
    let image = try TestImage(size: kind.size, kind.options)
    let commit = CommitID()
    let catalog = CatalogID()
    let prepared = try image.prepare {
      try $0.takeSnapshot(tag: "a", date: .init(seconds: 0, nanoseconds: 0))
    }
    #expect(prepared.image.mark == nil)
    try prepared.publish(commit: commit, catalog: catalog)
    let sectors = try prepared.sectors(
      FenceMark(commit: commit, catalog: catalog, member: 0, memberCount: 1))
    #expect(try image.firstSector() == sectors.after)
    let published = try image.open(.peek)
    #expect(published.mark == SnapjobMark(last: commit, catalog: catalog))
    #expect(published.lastCommit == commit)
    #expect(published.header.autoclear.isEmpty)
    prepared.image.unlock()
    // Another catalog's commit keeps the id.
    let other = try image.prepare { try $0.deleteSnapshot(position: 0) }
    try other.publish()
    #expect(try image.open(.peek).mark?.previous == commit)
  }

  @Test("What is freed is given back to the filesystem, and the file gets shorter")
  func givesSpaceBack() throws {
    let image = try TestImage(size: "8M", [], ["write -P 1 0 4M"])
    try image.save("a")
    try QemuIO.run(["write -P 2 0 4M"], on: image.path)
    let before = try PosixFile(opening: image.path, .read).allocatedByteCount()
    let bytes = try image.commit { try $0.deleteSnapshot(position: 0) }
    #expect(bytes.freed >= 4 << 20)
    let after = try PosixFile(opening: image.path, .read).allocatedByteCount()
    #expect(after <= before - (4 << 20))
    #expect(try QemuImg.contentDigest(image.path) == image.digest())
  }

  @Test("65536 snapshots are the limit")
  func snapshotLimit() throws {
    let image = try TestImage(size: "1M")
    var draft = try image.draft()
    for index in 0..<Limits.snapshotCount {
      draft.table.entries.append(
        SnapshotEntry(
          l1TableOffset: HostOffset(0), l1Size: 0, id: Array(String(index).utf8), name: [],
          dateSeconds: 0, dateNanoseconds: 0, vmClockNanoseconds: 0, vmStateSize: 0, diskSize: 0,
          icount: nil, unknownExtraData: []))
    }
    let error = try #require(throws: Qcow2Error.self) {
      try draft.takeSnapshot(tag: "one more", date: .init(seconds: 0, nanoseconds: 0))
    }
    #expect(error.code == .overLimit)
  }

  @Test("Two snapshots of one name are told apart by nobody: a conflict with their ids")
  func sameName() throws {
    let image = try TestImage(size: "1M")
    for _ in 0..<2 { try QemuImg.createSnapshot("twin", in: image.path) }
    let error = try #require(throws: Qcow2Error.self) {
      _ = try image.draft().position(ofTag: "twin")
    }
    #expect(error.code == .conflict)
    #expect(error.message.contains("ids 1, 2"))
    #expect(try image.draft().position(ofTag: "1") == nil)
  }
}
