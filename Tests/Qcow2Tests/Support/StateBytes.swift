import SystemPackage
import TestOracles
import Testing

@testable import Qcow2

/// VM state in memory, which can fail.
struct StateBytes: VMStateSource {
  let bytes: [UInt8]
  /// Reading beyond this offset fails; nil for never.
  var failureOffset: Int?

  /// Bytes that begin as a stream of QEMU's does and do not repeat.
  init(count: Int, seed: UInt64 = 1) {
    var generator = SeededGenerator(seed: seed)
    var bytes = Array("QEVM".utf8)
    while bytes.count < count { bytes.append(UInt8.random(in: 0...255, using: &generator)) }
    self.bytes = Array(bytes.prefix(count))
  }

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var byteCount: UInt64 { UInt64(bytes.count) }

  mutating func read(
    into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(Qcow2Error) -> Int {
    let part = bytes[Int(offset)...].prefix(buffer.count)
    if let failureOffset, part.endIndex > failureOffset {
      throw .system(.ioError, cannot: "read", path: "state")
    }
    buffer.copyBytes(from: part)
    return part.count
  }
}

extension VMStateReader {
  /// All of it, in pieces of an odd length.
  mutating func readAll(pieceByteCount: Int = 100_003) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: pieceByteCount)
    while true {
      let count = try piece.withUnsafeMutableBytes { try read(into: $0, at: UInt64(bytes.count)) }
      bytes += piece[..<count]
      if count < piece.count { return bytes }
    }
  }
}

extension TestImage {
  /// The VM state of a snapshot, by this engine's reader.
  func vmState(_ tag: String) throws -> [UInt8] {
    let image = try open()
    var reader = try VMStateReader(image, snapshot: try #require(image.position(tag)))
    return try reader.readAll()
  }

  /// The VM state of a snapshot as QEMU's own code finds it: `qemu-img snapshot -a` makes it part of the
  /// active L1 table, and a disk that has grown shows it to the guest. Done on a copy.
  func vmStateByQemu(_ tag: String) throws -> [UInt8] {
    let image = try open()
    let snapshot = image.snapshots[try #require(image.position(tag))]
    let entries = image.geometry.l1EntryCount(diskSize: snapshot.diskSize)
    let start = entries << UInt64(image.geometry.l2CoverageBits)
    image.unlock()
    let copy = directory.path("copy.qcow2")
    try Command.run("cp", [path, copy])
    try QemuImg.applySnapshot(tag, in: copy)
    // Version 2 images with snapshots cannot be resized.
    for name in try QemuImg.snapshotNames(copy) { try QemuImg.deleteSnapshot(name, in: copy) }
    let end = (start + snapshot.vmStateSize + 511) / 512 * 512
    try QemuImg.resize(copy, to: String(end))
    let raw = directory.path("grown.raw")
    try QemuImg.convert(copy, toRaw: raw)
    return try PosixFile(opening: raw, .read).read(
      byteCount: Int(snapshot.vmStateSize), at: Int64(start))
  }
}

extension Image {
  /// The position of the snapshot of this name; nil if there is none.
  func position(_ tag: String) -> Int? { snapshots.firstIndex { $0.name == tag } }
}
