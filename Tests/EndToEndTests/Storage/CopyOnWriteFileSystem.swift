import Qcow2
import TestOracles

/// A small file system that writes changed blocks elsewhere, on a loop device; it goes with the last
/// reference.
final class CopyOnWriteFileSystem: Sendable {
  /// Which one.
  enum Kind: String, Sendable, CaseIterable {
    case btrfs
    /// Of files whose blocks are shared by reflinks.
    case xfs

    /// In bytes, about the least that it takes.
    fileprivate var size: Int64 { self == .btrfs ? 128 << 20 : 300 << 20 }

    fileprivate var maker: [String] {
      self == .btrfs ? ["mkfs.btrfs", "-q", "-M"] : ["mkfs.xfs", "-q", "-m", "reflink=1"]
    }
  }

  /// Where it is mounted.
  let path: String
  private let device: LoopDevice
  private let directory: TemporaryDirectory
  private static let blockSize = 4096

  /// Makes and mounts one.
  ///
  /// - Parameter kind: which one.
  /// - Throws: what the programs said.
  init(_ kind: Kind) throws {
    directory = try TemporaryDirectory()
    device = try LoopDevice(in: directory, size: kind.size)
    path = directory.path("mounted")
    let make = kind.maker + [device.path]
    try Command.run(make[0], Array(make.dropFirst()))
    try Command.run("mkdir", [path])
    try Command.run("mount", [device.path, path])
    // Its blocks will be written anew until none is left for that.
    try PosixFile(creating: "\(path)/original").write(
      [UInt8](repeating: 1, count: 64 * Self.blockSize), at: 0)
  }

  deinit { _ = try? Command.attempt("umount", [path]) }

  /// Copies a file so that both share all blocks.
  func share(_ name: String, as copy: String) throws {
    try Command.run("cp", ["--reflink=always", "\(path)/\(name)", "\(path)/\(copy)"])
  }

  /// Fills it to the last byte, in which nothing shared can be overwritten either.
  ///
  /// - Parameter blockCount: how many blocks become free again afterwards.
  /// - Throws: errors but for the one that there is no space.
  func fill(leaving blockCount: Int = 0) throws {
    let room = "\(path)/room"
    try PosixFile(creating: room).write(
      [UInt8](repeating: 1, count: max(blockCount, 1) * Self.blockSize), at: 0)
    try share("original", as: "overwritten")
    try synchronize()
    let filler = try PosixFile(creating: "\(path)/filler")
    var offset: Int64 = 0
    for byteCount in [1 << 20, 1 << 16, Self.blockSize, 512] {
      let bytes = [UInt8](repeating: 2, count: byteCount)
      while try hasRoom({ try filler.write(bytes, at: offset) }) { offset += Int64(byteCount) }
      try filler.synchronize()
    }
    let overwritten = try PosixFile(opening: "\(path)/overwritten", .readWrite)
    let bytes = [UInt8](repeating: 3, count: Self.blockSize)
    var isFull = false
    for block in 0..<64 where !isFull {
      isFull = try !hasRoom {
        try overwritten.write(bytes, at: Int64(block * Self.blockSize))
        try overwritten.synchronize()
      }
    }
    guard isFull else { throw OracleError("\(path) cannot be filled") }
    if blockCount > 0 { try remove("room") }
  }

  /// Takes away what filled it.
  func makeRoom() throws { try remove("filler", "room", "overwritten") }

  private func remove(_ names: String...) throws {
    try Command.run("rm", ["-f"] + names.map { "\(path)/\($0)" })
    try synchronize()
  }

  /// What was removed is free only afterwards.
  private func synchronize() throws { try Command.run("sync", ["-f", path]) }

  /// Whether something found room.
  private func hasRoom(_ write: () throws -> Void) throws -> Bool {
    do {
      try write()
      return true
    } catch let error as Qcow2Error {
      guard error.code == .noSpace else { throw error }
      return false
    }
  }
}
