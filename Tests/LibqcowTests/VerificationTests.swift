import Jobs
import Libqcow
import Qcow2
import SnapshotJobs
import TestOracles
import Testing

/// Verification with the real second reader.
@Suite struct VerificationTests {
  let directory: TemporaryDirectory
  let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("disk.qcow2")
  }

  private func verify(_ tag: String? = nil) throws -> VerifyReport {
    try Verification.run(path: path, tag: tag, second: LibqcowReader())
  }

  /// An image of a program's bytes, compressed, with a snapshot and writes behind it.
  private func makeImage(_ options: [String]) throws {
    let raw = directory.path("source")
    try Command.run(
      "dd", ["if=/usr/bin/qemu-img", "of=\(raw)", "bs=1k", "count=1501", "status=none"])
    try Command.run("truncate", ["-s", "+700k", raw])
    let words = options.isEmpty ? [] : ["-o", options.joined(separator: ",")]
    try Command.run(
      "qemu-img", ["convert", "-c", "-f", "raw", "-O", "qcow2"] + words + [raw, path])
    try QemuImg.createSnapshot("a", in: path)
    try QemuIO.run(["write -P 1 100k 70k", "write -P 2 2000k 10k"], on: path)
  }

  private func digests() throws -> [String?] {
    [try QemuImg.contentDigest(path), try QemuImg.contentDigest(path, snapshot: "a")]
  }

  @Test(
    "Both readers agree on every byte of compressed and plain clusters",
    arguments: [
      [], ["compat=0.10"], ["cluster_size=512"], ["cluster_size=4096"], ["cluster_size=2M"],
      ["refcount_bits=64"], ["lazy_refcounts=on"],
    ])
  func agreement(options: [String]) throws {
    try makeImage(options)
    let report = try verify()
    #expect(report.isSound)
    #expect(report.states.map(\.content.digest) == (try digests()))
    #expect(report.states.map(\.tag) == [nil, "a"])
    #expect(report.states.map(\.id) == [nil, "1"])
    #expect(report.secondReaderProblem == nil)
    let zeros = report.leftOut.values.reduce(0, +)
    let size = report.states[0].content.size
    #expect(report.bytesEqual > 1_600_000)
    #expect(report.bytesEqual <= size)
    #expect((report.bytesEqual == size) == (zeros == 0))
  }

  @Test(
    "What libqcow does not open is said, and all its clusters are counted",
    arguments: [["compression_type=zstd"], ["extended_l2=on"]])
  func unopened(options: [String]) throws {
    try makeImage(options)
    let report = try verify()
    #expect(report.isSound)
    #expect(report.states.map(\.content.digest) == (try digests()))
    #expect(report.secondReaderProblem?.contains("unsupported incompatible features") == true)
    #expect(report.bytesEqual == 0)
    #expect(report.leftOut.map(\.value) == [35])
  }

  @Test("Clusters with the zero flag are counted and not compared")
  func zeroFlags() throws {
    try QemuImg.create(path, size: "1M")
    try QemuIO.run(["write -P 1 0 1M", "write -z 128k 256k"], on: path)
    let report = try verify()
    #expect(report.isSound)
    #expect(report.states.map(\.content.digest) == [try QemuImg.contentDigest(path)])
    #expect(report.bytesEqual == 12 << 16)
    #expect(report.leftOut == ["zero-flag clusters, which libqcow misreads": 4])
  }

  @Test("A backing file and encryption are said, and nothing is opened")
  func unread() throws {
    try QemuImg.create(directory.path("base"), size: "1M")
    try QemuImg.create(path, size: "1M", backingFile: directory.path("base"))
    try Command.run("rm", [directory.path("base")])
    let backed = try verify()
    #expect(backed.isSound)
    #expect(backed.backingFileName == directory.path("base"))
    #expect(backed.states[0].content.bytesFromBackingFile == 1 << 20)
    #expect(backed.secondReaderProblem?.contains("backing file") == true)

    try Command.run("rm", [path])
    try Command.run(
      "qemu-img",
      [
        "create", "-q", "--object", "secret,id=s,data=x", "-f", "qcow2", "-o",
        "encrypt.format=aes,encrypt.key-secret=s", path, "1M",
      ])
    let encrypted = try verify()
    #expect(encrypted.isSound)
    #expect(encrypted.secondReaderProblem == "the content is encrypted")
    #expect(encrypted.leftOut.map(\.value) == [16])
  }

  @Test("With a tag only its snapshot is read, and a tag that is not there is not found")
  func tags() throws {
    try makeImage([])
    let report = try verify("a")
    #expect(report.states.map(\.tag) == ["a"])
    #expect(report.states.map(\.content.digest) == [try QemuImg.contentDigest(path, snapshot: "a")])
    #expect(report.secondReaderProblem?.contains("does not read snapshots") == true)
    let error = try #require(throws: JobError.self) { _ = try verify("b") }
    #expect(error.kind == .notFound)
    #expect(error.message.hasPrefix("\(path): no snapshot is called 'b'"))
  }

  @Test("A damaged image is not given to libqcow")
  func damaged() throws {
    try makeImage([])
    // The first entry of the active L2 table is to lead to the refcount table.
    let file = try PosixFile(opening: path, .readWrite)
    let l2 = try number(at: number(at: 40, file), file) & 0x00ff_ffff_ffff_fe00
    try file.write([0x80, 0, 0, 0, 0, 1, 0, 0], at: Int64(l2))
    let report = try verify()
    #expect(!report.isSound)
    let problems = report.states[0].content.problems
    #expect(problems.map(\.range) == [0..<65536])
    #expect(
      problems.map(\.text) == ["its cluster lies on the refcount table at host offset 0x10000"])
    #expect(report.secondReaderProblem?.contains("sound images only") == true)
    #expect(report.states[1].content.problemCount == 0)
  }

  /// A big-endian number of the file.
  private func number(at offset: UInt64, _ file: PosixFile) throws -> UInt64 {
    try file.read(byteCount: 8, at: Int64(offset)).reduce(0) { $0 << 8 | UInt64($1) }
  }
}
