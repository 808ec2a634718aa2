import TestOracles
import Testing

@testable import Qcow2

@Suite struct ImageVerificationTests {
  /// The reports of the active state and of all snapshots.
  private func reports(_ image: TestImage) throws -> [StateReport] {
    let opened = try image.open()
    var verification = try ImageVerification(opened)
    #expect(verification.structureProblems == [])
    return try ([nil] + opened.snapshots.indices.map(Int?.init)).map {
      try verification.readState(snapshot: $0)
    }
  }

  @Test(
    "All states of a sound image are read to the end, with qemu's digests",
    arguments: [
      [], ["compat=0.10"], ["cluster_size=512"], ["cluster_size=2M"], ["refcount_bits=64"],
      ["extended_l2=on"], ["compression_type=zstd"], ["lazy_refcounts=on"],
      ["extended_l2=on", "compression_type=zstd", "cluster_size=16k"],
    ])
  func sound(options: [String]) throws {
    let image = try ImageCheckTests.makeImage(options, size: "15M")
    if !options.contains("compat=0.10") {
      try Command.run("qemu-img", ["bitmap", "--add", "-f", "qcow2", image.path, "b0"])
      try QemuIO.run(["write -P 8 14M 64k"], on: image.path)
    }
    let reports = try reports(image)
    #expect(reports.map(\.problems) == [[], [], []])
    #expect(reports.map(\.bytesRead) == [15 << 20, 15 << 20, 15 << 20])
    let digests = try [nil, "one", "two"].map {
      try QemuImg.contentDigest(image.path, snapshot: $0)
    }
    #expect(reports.map(\.digest) == digests)
  }

  @Test("The last cluster of a file may be there in part, compressed or not")
  func lastCluster() throws {
    for command in ["write -P 1 0 64k", "write -c -P 1 0 64k"] {
      let image = try TestImage(size: "1M", [], [command])
      let length = try image.length()
      try image.setLength(length / 65536 * 65536 - (length % 65536 == 0 ? 65035 : -500))
      #expect(try QemuImg.check(image.path).isClean)
      #expect(try reports(image).map(\.problems) == [[]])
    }
  }

  @Test("What a backing file holds is counted and not read; there is no digest")
  func backingFile() throws {
    let base = try TestImage(size: "1M", [], ["write -P 1 0 1M"])
    let image = try TestImage()
    try QemuImg.create(image.path, size: "1M", backingFile: base.path)
    try QemuIO.run(["write -P 2 64k 64k", "write -z 256k 64k"], on: image.path)
    try Command.run("rm", [base.path])
    let report = try #require(try reports(image).first)
    #expect(report.bytesFromBackingFile == 14 << 16)
    #expect(report.bytesRead == 2 << 16)
    #expect(report.digest == nil)
    #expect(report.problems == [])
    #expect(try ImageVerification(image.open()).backingFileName == base.path)
  }

  @Test("An image that covers its backing file has a digest")
  func coveredBackingFile() throws {
    let base = try TestImage(size: "1M")
    let image = try TestImage()
    try QemuImg.create(image.path, size: "1M", backingFile: base.path)
    try QemuIO.run(["write -P 2 0 1M"], on: image.path)
    #expect(try reports(image).map(\.digest) == [QemuImg.contentDigest(image.path)])
  }

  @Test("Encrypted clusters are counted and not read, but their places are looked at")
  func encrypted() throws {
    let image = try TestImage(luksSize: "1M", secret: "word")
    try Command.run(
      "qemu-io",
      [
        "--object", "secret,id=key,data=word", "-c", "write -P 1 64k 128k", "--image-opts",
        "driver=qcow2,encrypt.key-secret=key,file.filename=\(image.path)",
      ])
    let prepared = try image.prepare {
      try $0.takeSnapshot(tag: "a", date: .init(seconds: 0, nanoseconds: 0))
    }
    try prepared.publish()
    try prepared.finish()
    prepared.image.unlock()
    let reports = try reports(image)
    #expect(reports.map(\.bytesEncrypted) == [2 << 16, 2 << 16])
    #expect(reports.map(\.bytesRead) == [14 << 16, 14 << 16])
    #expect(reports.map(\.digest) == [nil, nil])
    #expect(reports.map(\.problems) == [[], []])

    let header = try #require(try image.open().area.luksHeader()).offset.bytes
    let table = try MetadataMap(image.open()).activeL2s[0].lowerBound
    try image.poke(header, at: table + 8)
    let problem = try #require(try self.reports(image).first?.problems.first)
    #expect(problem.range == 65536..<131072)
    #expect(problem.text.contains("lies on the LUKS header"))
  }

  @Test("It can be ended at each table whose places are looked at, before anything is read")
  func endedEarly() throws {
    struct End: Error {}
    let image = try TestImage(size: "2G", ["preallocation=metadata"])
    var verification = try ImageVerification(image.open(), withDigests: false) { byteCount in
      if byteCount == 0 { throw End() }
      Issue.record("something was read")
    }
    #expect(throws: End.self) { _ = try verification.readState(snapshot: nil) }
  }

  @Test("VM state is read as well, and its damage is the snapshot's")
  func vmState() throws {
    // Each L1 entry stands for 32 KiB: the second one becomes VM state.
    let image = try TestImage(
      size: "64k", ["cluster_size=512"], ["write -P 1 0 33k", "write -c -P 2 33k 512"])
    try QemuImg.createSnapshot("a", in: image.path)
    let entry = try MetadataMap(image.open()).snapshotTable.lowerBound
    try image.poke(UInt32(1025), at: entry + 32)
    try image.poke(UInt64(1025), at: entry + 40)
    try image.poke(UInt64(32 << 10), at: entry + 48)
    let reports = try reports(image)
    #expect(reports[1].vmStateBytesRead == 1025)
    #expect(reports[1].bytesRead == 32 << 10)
    #expect(reports[1].digest != nil)
    #expect(reports[1].problems == [])

    try image.poke(UInt64(1 << 40), at: entry + 40)
    #expect(try self.reports(image)[1].problems.map(\.text).first?.contains("too small") == true)

    try image.poke(UInt64(1025), at: entry + 40)
    var reader = try GuestReader(image.open())
    guard case .compressed(let host, _) = try reader.mapping(at: GuestOffset(33 << 10)).0 else {
      Issue.record("the cluster is not compressed")
      return
    }
    try image.poke([UInt8](repeating: 0xff, count: 20), at: host.bytes)
    let damaged = try self.reports(image)[1]
    #expect(damaged.problems.first?.range == 33_792..<33_793)
    #expect(damaged.vmStateBytesRead == 1024)
    #expect(damaged.bytesRead == 32 << 10)
  }

  @Test("VM state that a running machine has saved is read")
  func liveVMState() throws {
    let image = try TestImage(size: "4M", [], ["write -P 1 0 1M"])
    let vm = try QemuVM([QemuVM.Disk("disk0", image.path)])
    try vm.runSnapshotJob("snapshot-save", tag: "live", vmstate: "disk0", devices: ["disk0"])
    try vm.quit()
    let snapshot = try #require(try image.open().snapshots.first)
    let reports = try reports(image)
    #expect(reports[1].vmStateBytesRead == snapshot.vmStateSize)
    #expect(reports.map(\.problems) == [[], []])
    #expect(reports[1].digest == reports[0].digest)
  }

  @Test("A size that the L1 table does not cover is a problem, and not read")
  func hugeSizes() throws {
    let image = try TestImage(size: "64k", ["cluster_size=512"], ["write -P 1 0 64k"])
    try QemuImg.createSnapshot("a", in: image.path)
    let entry = try MetadataMap(image.open()).snapshotTable.lowerBound
    try image.poke(UInt64.max, at: entry + 40)
    let report = try reports(image)[1]
    #expect(report.problemCount == 1)
    #expect(report.bytesRead == 64 << 10)
    try image.poke(UInt64.max, at: entry + 48)
    let problems = try reports(image)[1].problems
    #expect(Set(problems.map(\.range)) == [64 << 10..<UInt64.max, UInt64.max..<UInt64.max])
  }

  @Test("What states share is read once, and what has no data is not read")
  func sharedStates() throws {
    let image = try TestImage(size: "64G", [], ["write -P 1 0 4M"])
    for tag in ["a", "b", "c"] { try QemuImg.createSnapshot(tag, in: image.path) }
    try QemuIO.run(["write -P 2 0 64k"], on: image.path)
    var bytes: Int64 = 0
    var verification = try ImageVerification(image.open(), withDigests: false) { bytes += $0 }
    for position in [nil, 0, 1, 2] {
      let report = try verification.readState(snapshot: position)
      #expect(report.bytesRead == 64 << 30)
      #expect(report.problems == [])
      #expect(report.digest == nil)
    }
    // 65 clusters of data, and two tables.
    #expect(bytes == 67 << 16)
  }

  @Test("A table that stands for two parts of a disk is damage, and not gone through twice")
  func sharedTable() throws {
    let image = try TestImage(size: "8M", ["cluster_size=4096"], ["write -P 1 0 64k"])
    let l1 = try MetadataMap(image.open()).activeL1.lowerBound
    let table = try image.number(UInt64.self, at: l1)
    for index in 1..<4 as Range<UInt64> { try image.poke(table, at: l1 + 8 * index) }
    #expect(try QemuFindings.expectSame(image.path).exitCode == 2)
    var bytes: Int64 = 0
    var verification = try ImageVerification(image.open(), withDigests: false) { bytes += $0 }
    let report = try verification.readState(snapshot: nil)
    #expect(report.usesClustersTwice)
    #expect(report.problems.map(\.range) == [2 << 20..<8 << 20])
    #expect(bytes == 17 << 12)
  }

  @Test("Places are told from state to state by what differs: two states may swap clusters")
  func swappedClusters() throws {
    let image = try TestImage(size: "1M", [], ["write -P 1 0 64k", "write -P 2 64k 64k"])
    try QemuImg.createSnapshot("a", in: image.path)
    try QemuIO.run(["write -P 3 0 192k"], on: image.path)
    // The active state has the snapshot's two clusters, the other way round.
    let opened = try image.open()
    let old = try opened.readL1(of: opened.table.entries[0])[0] & TableEntry.offsetMask
    let new = try MetadataMap(opened).activeL2s[0].lowerBound
    let entries = try [0, 8].map { try image.number(UInt64.self, at: old + $0) }
    try image.poke(entries[1], at: new)
    try image.poke(entries[0], at: new + 8)
    var verification = try ImageVerification(image.open())
    for position in [nil, 0, nil] {
      #expect(try verification.readState(snapshot: position).problems == [])
    }
  }
}
