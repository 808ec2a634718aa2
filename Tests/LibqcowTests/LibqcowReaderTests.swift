import Glibc
import Jobs
import Libqcow
import SnapshotJobs
import TestOracles
import Testing

@Suite struct LibqcowReaderTests {
  let directory: TemporaryDirectory
  let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("disk.qcow2")
  }

  /// The whole content as libqcow reads it, in pieces of a size that divides nothing.
  private func content(_ path: String) throws -> [UInt8] {
    let image = try LibqcowReader().open(path: path)
    var bytes = [UInt8](repeating: 0xee, count: Int(image.size))
    try bytes.withUnsafeMutableBytes { buffer in
      for start in stride(from: 0, to: buffer.count, by: 300_007) {
        let end = min(start + 300_007, buffer.count)
        try image.read(
          into: UnsafeMutableRawBufferPointer(rebasing: buffer[start..<end]), at: UInt64(start))
      }
    }
    return bytes
  }

  private func contentOfQemu(_ path: String) throws -> [UInt8] {
    let raw = directory.path("raw")
    try QemuImg.convert(path, toRaw: raw)
    return try Command.run("cat", [raw]).output
  }

  private func refusal(_ path: String) throws -> JobError {
    try #require(#expect(throws: JobError.self) { try LibqcowReader().open(path: path) })
  }

  @Test(
    arguments: [
      ["compat=0.10"], ["compat=1.1"], ["cluster_size=512"], ["cluster_size=4096"],
      ["cluster_size=2M"], ["refcount_bits=64"], ["preallocation=metadata"],
    ])
  func `An image reads as qemu reads it`(options: [String]) throws {
    try QemuImg.create(path, size: "3145728", options: options)
    try QemuIO.run(
      ["write -P 0x11 0 70000", "write -P 0x22 100000 5", "write -P 0x33 2097000 1048000"],
      on: path)
    #expect(try content(path) == contentOfQemu(path))
  }

  @Test func `An image with compressed clusters and snapshots reads as qemu reads it`() throws {
    try QemuImg.create(path, size: "2M")
    try QemuIO.write(0x11, at: 0, length: 262_144, in: path)
    try QemuImg.createSnapshot("before", in: path)
    try QemuIO.write(0x22, at: 65536, length: 65536, in: path)
    try QemuIO.writeCompressed(0x33, at: 1_048_576, length: 65536, in: path)
    let bytes = try content(path)
    #expect(try bytes == contentOfQemu(path))
    #expect(bytes[65536] == 0x22)
    #expect(bytes[1_048_576] == 0x33)
  }

  @Test(
    arguments: [
      (["compression_type=zstd"], "unsupported incompatible features flags"),
      (["extended_l2=on"], "unsupported incompatible features flags"),
      (["encrypt.format=aes,encrypt.key-secret=s"], "encrypted"),
    ])
  func `An image that it cannot read is refused with the reason`(
    options: [String], reason: String
  ) throws {
    let words = options + (options[0].hasPrefix("encrypt") ? [] : ["lazy_refcounts=off"])
    try Command.run(
      "qemu-img",
      ["create", "-q", "--object", "secret,id=s,data=x", "-f", "qcow2", "-o"]
        + [words.joined(separator: ","), path, "1M"])
    let error = try refusal(path)
    #expect(error.kind == .refused)
    #expect(error.message.hasPrefix("\(path): libqcow "))
    #expect(error.message.contains(reason))
  }

  @Test func `An image with a backing file is refused, and that file not opened`() throws {
    let base = directory.path("base.qcow2")
    try QemuImg.create(base, size: "1M")
    try QemuImg.create(path, size: "1M", backingFile: base)
    #expect(unlink(base) == 0)
    #expect(try refusal(path).message.contains("backing file"))
  }

  @Test(arguments: ["missing", "empty", "text", "truncated", "directory"])
  func `What is no sound image is refused with its name`(kind: String) throws {
    switch kind {
    case "empty": try Command.run("truncate", ["-s", "0", path])
    case "text": try Command.run("cp", ["/etc/services", path])
    case "truncated":
      try QemuImg.create(path, size: "1M")
      try Command.run("truncate", ["-s", "60", path])
    case "directory": #expect(mkdir(path, 0o700) == 0)
    default: break
    }
    let error = try refusal(path)
    #expect(error.kind == .refused)
    #expect(error.message.hasPrefix("\(path): libqcow cannot read it: "))
  }

  @Test func `A read beyond the end is an error`() throws {
    try QemuImg.create(path, size: "1M")
    let image = try LibqcowReader().open(path: path)
    #expect(image.size == 1_048_576)
    var buffer = [UInt8](repeating: 0, count: 512)
    for offset in [UInt64(1_048_576), 1_048_065, UInt64(Int64.max), .max] {
      #expect(throws: JobError.self) {
        try buffer.withUnsafeMutableBytes { try image.read(into: $0, at: offset) }
      }
    }
    try buffer.withUnsafeMutableBytes { try image.read(into: $0, at: 1_048_064) }
  }

  @Test func `A path of any letters can be opened`() throws {
    let path = directory.path("Größe 磁盘, x=y.qcow2")
    try Command.run("qemu-img", ["create", "-q", "-f", "qcow2", "file:\(path)", "1M"])
    #expect(try LibqcowReader().open(path: path).size == 1_048_576)
  }

  @Test func `It names itself with its version`() {
    let name = LibqcowReader().name
    #expect(name.hasPrefix("libqcow 20"))
    #expect(name.count == "libqcow 20201213".count)
  }
}
