import SystemPackage
import TestOracles
import Testing

@testable import Qcow2

/// An image in a directory of its own, which goes with it.
struct TestImage {
  let directory: TemporaryDirectory
  let path: String

  /// A path without a file.
  init(name: String = "disk.qcow2") throws {
    directory = try TemporaryDirectory()
    path = directory.path(name)
  }

  /// An image made by qemu-img.
  ///
  /// - Parameters:
  ///   - size: in qemu's words.
  ///   - options: as for `-o`.
  ///   - commands: of qemu-io, run on it.
  /// - Throws: what qemu's programs said.
  init(size: String, _ options: [String] = [], _ commands: [String] = []) throws {
    try self.init()
    try QemuImg.create(path, size: size, options: options)
    if !commands.isEmpty { try QemuIO.run(commands, on: path) }
  }

  /// An image that LUKS encrypts.
  ///
  /// - Parameters:
  ///   - size: in qemu's words.
  ///   - secret: the pass phrase.
  /// - Throws: what qemu's programs said.
  init(luksSize size: String, secret: String) throws {
    try self.init()
    let arguments = [
      "create", "-q", "-f", "qcow2", "--object", "secret,id=key,data=\(secret)", "-o",
      "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10", path, size,
    ]
    // qemu-img measures the processor, which fails now and then where a measurement is too short.
    for _ in 0..<20 where try Command.attempt("qemu-img", arguments).status == 0 { return }
    try Command.run("qemu-img", arguments)
  }

  /// Opens it.
  func open(_ purpose: Image.Purpose = .read) throws -> Image {
    try Image.open(path, for: purpose)
  }

  /// Opens it to be changed.
  func draft() throws -> ImageDraft { try ImageDraft(open(.change)) }

  /// All its bytes.
  func bytes() throws -> [UInt8] {
    let file = try PosixFile(opening: path, .read)
    return try file.read(byteCount: Int(file.length()), at: 0)
  }

  /// Reads a big-endian number.
  func number<T: FixedWidthInteger>(_ type: T.Type, at offset: UInt64) throws -> T {
    let file = try PosixFile(opening: path, .read)
    return try file.read(byteCount: T.bitWidth / 8, at: Int64(offset))
      .reduce(0) { $0 << 8 | T($1) }
  }

  /// Overwrites a big-endian number.
  func poke<T: FixedWidthInteger>(_ value: T, at offset: UInt64) throws {
    let count = T.bitWidth / 8
    try poke(
      (0..<count).map { UInt8(truncatingIfNeeded: value >> T(8 * (count - 1 - $0))) }, at: offset)
  }

  /// Overwrites bytes.
  func poke(_ bytes: [UInt8], at offset: UInt64) throws {
    try PosixFile(opening: path, .readWrite).write(bytes, at: Int64(offset))
  }

  /// Puts header extensions behind those that the image has.
  ///
  /// - Parameters:
  ///   - extensions: types and data.
  ///   - start: where in cluster 0; nil for behind the last one.
  /// - Throws: what reading or writing the file said.
  func append(_ extensions: [(type: UInt32, data: [UInt8])], at start: UInt64? = nil) throws {
    let area = try open().area
    let last = area.extensions.last
    var position =
      start ?? UInt64(last.map { $0.position + $0.byteCount } ?? area.header.byteCount)
    for (type, data) in extensions {
      try poke(type, at: position)
      try poke(UInt32(data.count), at: position + 4)
      try poke(data, at: position + 8)
      position += 8 + UInt64((data.count + 7) / 8 * 8)
    }
    try poke(UInt64(0), at: position)
  }

  /// Makes the file with these bytes.
  func create(_ bytes: [UInt8]) throws {
    try PosixFile(creating: path).write(bytes, at: 0)
  }

  /// Cuts the file or lets it grow.
  func setLength(_ length: Int64) throws {
    try PosixFile(opening: path, .readWrite).setLength(length)
  }

  /// Its length.
  func length() throws -> Int64 { try PosixFile(opening: path, .read).length() }

  /// Fails the test unless qemu-img and this engine both find nothing wrong.
  func expectClean(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let check = try QemuImg.check(path)
    #expect(check.isClean, "\(check.text)", sourceLocation: sourceLocation)
    let report = try open(.check).check()
    #expect(report.exitCode == 0, "\(report.messages)", sourceLocation: sourceLocation)
  }

  /// The SHA-256 of what the guest sees, by this engine's reader.
  func digest(snapshot position: Int? = nil) throws -> String {
    let image = try open()
    var reader = try position.map { try GuestReader(image, snapshot: $0) } ?? GuestReader(image)
    return try reader.digest()
  }
}
