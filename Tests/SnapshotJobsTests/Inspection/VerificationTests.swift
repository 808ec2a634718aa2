import Glibc
import Jobs
import Qcow2
import SnapshotJobs
import Synchronization
import TestFiles
import TestOracles
import Testing

/// A second reader that reads a raw copy and errs where it is told to.
private struct ToyReader: SecondReader {
  var name = "toyreader 1"
  let raw: String
  /// Guest offsets of bytes that it reads wrongly.
  var mistakes: [UInt64] = []
  /// Reads from here on fail.
  var failsFrom = UInt64.max
  /// Added to the size that it claims.
  var moreBytes: UInt64 = 0

  func open(path: String) throws(JobError) -> any SecondReaderImage {
    do throws(Qcow2Error) {
      let file = try PosixFile(opening: raw, .read)
      return ToyImage(reader: self, file: file, size: UInt64(try file.length()) + moreBytes)
    } catch {
      throw JobError(error)
    }
  }
}

private struct ToyImage: SecondReaderImage {
  let reader: ToyReader
  let file: PosixFile
  let size: UInt64

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(JobError) {
    if offset >= reader.failsFrom { throw JobError(.refused, "out of order") }
    do throws(Qcow2Error) {
      try file.read(into: buffer, at: Int64(offset))
    } catch {
      throw JobError(error)
    }
    for mistake in reader.mistakes where mistake >= offset && mistake - offset < buffer.count {
      buffer[Int(mistake - offset)] ^= 1
    }
  }
}

/// Counts how often files are read.
private final class ReadCounter: FileObserver {
  private let count = Atomic<Int>(0)

  var readCount: Int { count.load(ordering: .relaxed) }

  func perform(
    _ operation: FileOperation, on file: any ImageFile, _ body: () throws(Qcow2Error) -> Void
  ) throws(Qcow2Error) {
    try body()
  }

  func willRead() { count.add(1, ordering: .relaxed) }
}

@Suite struct VerificationTests {
  let directory: TemporaryDirectory
  let path: String
  private let reader: ToyReader

  /// 4 MiB with data at both ends; the last cluster is not whole.
  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("disk.qcow2")
    try QemuImg.create(path, size: "4100000")
    try QemuIO.run(["write -P 1 0 1500k", "write -P 2 4000k 3k"], on: path)
    try QemuImg.createSnapshot("a", in: path)
    reader = ToyReader(raw: directory.path("raw"))
    try QemuImg.convert(path, toRaw: reader.raw)
  }

  private func verify(
    _ change: (inout ToyReader) -> Void = { _ in }
  ) throws -> VerifyReport {
    var reader = self.reader
    change(&reader)
    return try Verification.run(path: path, second: reader)
  }

  @Test func `Equal readers agree on every byte`() throws {
    let report = try verify()
    #expect(report.isSound)
    #expect(report.bytesEqual == 4_100_096 || report.bytesEqual == 4_100_000)
    #expect(report.differences == [])
    #expect(report.leftOut == [:])
    let digest = try Command.sha256(ofFile: reader.raw)
    #expect(report.states.map(\.content.digest) == [digest, digest])
  }

  @Test func `Each cluster that differs is named, unallocated ones and the last one too`() throws {
    let report = try verify { $0.mistakes = [5, 65_536, 131_071, 2_000_000, 4_099_999] }
    #expect(!report.isSound)
    #expect(
      report.differences.map(\.lowerBound) == [0, 65_536, 1_966_080, 4_063_232])
    #expect(report.differences.first == 0..<65_536)
    #expect(report.states.map(\.content.problemCount) == [0, 0])
  }

  @Test func `Holes are not read`() throws {
    let large = directory.path("large.qcow2")
    try QemuImg.create(large, size: "2G", options: ["preallocation=metadata"])
    try QemuIO.run(["write -P 1 1G 1M"], on: large)
    try QemuImg.createSnapshot("a", in: large)
    let counter = ReadCounter()
    let report = try Verification.run(
      path: large, tag: "a", second: reader, withDigests: false,
      files: ObservedFiles(observer: counter))
    #expect(report.states.map(\.content.bytesRead) == [2 << 30])
    #expect(report.isSound)
    // 2,048 pieces of a MiB, of which one has data; and the tables.
    #expect(counter.readCount < 100)
  }

  @Test func `Another size is a difference of the whole disk`() throws {
    let report = try verify { $0.moreBytes = 512 }
    #expect(report.differences.map(\.lowerBound) == [0])
    #expect(!report.isSound)
  }

  @Test func `What the second reader fails to read is counted and said`() throws {
    let report = try verify { $0.failsFrom = 2 << 20 }
    #expect(report.isSound)
    #expect(report.bytesEqual == 2_621_440)
    #expect(report.leftOut.keys.first?.contains("out of order") == true)
    #expect(report.leftOut.map(\.value) == [23])
  }

  @Test func `A second reader without a reason to read is said with all clusters`() throws {
    try Command.run("rm", [reader.raw])
    let report = try verify()
    #expect(report.isSound)
    #expect(report.secondReaderProblem?.contains(reader.raw) == true)
    #expect(report.leftOut.map(\.value) == [63])
    #expect(report.states.count == 2)
  }

  @Test func `An image that somebody holds, or that is none, is not verified`() throws {
    let held = try QemuIO.hold(path)
    let inUse = try #require(throws: JobError.self) { _ = try verify() }
    #expect(inUse.kind == .inUse)
    held.close()
    let missing = try #require(throws: JobError.self) {
      _ = try Verification.run(path: directory.path("none"), second: reader)
    }
    #expect(missing.kind == .notFound)
  }

  @Test func `A cluster that a state uses twice ends it, and nothing behind it is read`() throws {
    let file = try PosixFile(opening: path, .readWrite)
    func number(at offset: UInt64) throws -> UInt64 {
      try file.read(byteCount: 8, at: Int64(offset)).reduce(0) { $0 << 8 | UInt64($1) }
    }
    let table = try number(at: number(at: 40)) & 0x00ff_ffff_ffff_fe00
    try file.write(file.read(byteCount: 8, at: Int64(table)), at: Int64(table) + 8)
    let report = try verify()
    #expect(!report.isSound)
    #expect(report.states.map(\.tag) == [nil])
    #expect(report.states.first?.content.usesClustersTwice == true)
    #expect(report.secondReaderProblem?.contains("damaged") == true)
  }

  @Test func `A large disk without data is verified at once, and without digests`() throws {
    try QemuImg.create(path, size: "32T", options: ["cluster_size=2M"])
    try QemuIO.run(["write -P 1 0 2M", "write -P 2 31T 64k"], on: path)
    try QemuImg.createSnapshot("a", in: path)
    var bytes: Int64 = 0
    let image = try Image.open(path, for: .read)
    var verification = try ImageVerification(image, withDigests: false) { bytes += $0 }
    for position in [nil, 0] {
      let report = try verification.readState(snapshot: position)
      #expect(report.bytesRead == 32 << 40)
      #expect(report.digest == nil)
      #expect(report.problems == [])
    }
    // Two tables and two clusters, whatever the number of states.
    #expect(bytes == 8 << 20)
    // The second reader has another size: that is told without reading either.
    let report = try Verification.run(path: path, second: reader, withDigests: false)
    #expect(report.states.map(\.content.problemCount) == [0, 0])
    #expect(report.differences == [0..<32 << 40])
  }

  @Test func `Progress is told a few times a second, with what is to do`() throws {
    let told = Mutex<[[Int64]]>([])
    let progress = InspectionProgress { current, total in
      told.withLock { $0.append([current, total]) }
    }
    progress.foresee(10)
    try progress.advance(1)
    usleep(300_000)
    try progress.advance(2)
    try progress.advance(3)
    #expect(told.withLock { $0 } == [[3, 10]])
    usleep(300_000)
    try progress.advance(8)
    #expect(told.withLock { $0.last } == [14, 14])
  }

  @Test func `A device state that QEMU could not load is damage, with its place`() throws {
    let image = directory.path("saved.qcow2")
    try QemuImg.create(image, size: "1M")
    let vm = try QemuVM([QemuVM.Disk("disk0", image)])
    try vm.runSnapshotJob("snapshot-save", tag: "t", vmstate: "disk0", devices: ["disk0"])
    try vm.quit()
    let reader = ToyReader(raw: directory.path("raw saved"))
    try QemuImg.convert(image, toRaw: reader.raw)
    #expect(try Verification.run(path: image, second: reader).isSound)

    // The state begins in a cluster of its own; the section behind the configuration is the RAM's.
    let bytes = try Command.run("cat", [image]).output
    let magic = Array("QEVM".utf8)
    let start = try #require(
      stride(from: 0, to: bytes.count, by: 512).first { bytes[$0...].starts(with: magic) })
    let name = try #require(
      bytes[start...].indices.first { bytes[$0...].starts(with: Array("ram".utf8)) })
    let file = try PosixFile(opening: image, .readWrite)
    try [UInt8(0xFF)].withUnsafeBytes { try file.write($0, at: Int64(name + 3 + 8 + 1)) }
    let report = try Verification.run(path: image, tag: "t", second: reader)
    #expect(!report.isSound)
    let problem = try #require(report.states.first?.deviceStateProblem)
    #expect(problem.contains("section 'ram' (instance 0"))
    #expect(report.states.first?.content.problemCount == 0)
  }
}
