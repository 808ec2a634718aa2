import Qcow2
import TestOracles
import Testing

/// What other programs have put into a header, and snapjob does not know.
@Suite("Unknown fields") struct UnknownFieldTests {
  private let program: Program
  private let path: String
  /// An extension that no program knows, and the end of the list.
  private let unknownExtension: [UInt8] =
    [0x12, 0x34, 0x56, 0x78, 0, 0, 0, 11] + Array("hello world".utf8) + [0, 0, 0, 0, 0]

  init() throws {
    program = try Program()
    path = program.path("disk.qcow2")
    try QemuImg.create(path, size: "1M")
    try QemuIO.write(1, at: 0, length: 100_000, in: path)
    let file = try PosixFile(opening: path, .readWrite)
    // In front of all others.
    let others = try file.read(byteCount: 1024, at: 112)
    try file.write(unknownExtension + others, at: 112)
    try file.write([0, 8, 0, 0, 0, 0, 0, 0], at: 80)
    try file.write([0, 4, 0, 0, 0, 0, 0, 0], at: 88)
  }

  private func header() throws -> [UInt8] {
    try PosixFile(opening: path, .read).read(byteCount: 1024, at: 0)
  }

  private func hasExtension(_ header: [UInt8]) -> Bool {
    header.indices.contains { header[$0...].starts(with: unknownExtension) }
  }

  @Test("reading leaves unknown bits of all kinds and unknown extensions as they are")
  func reading() throws {
    let before = try GuestContent(ofFile: path)
    try program.run("list", "--file", path)
    try program.run("check", path)
    try program.run("verify", path)
    try program.run("save", "--tag", "t", "--file", path, "--dry-run")
    #expect(try program.attempt(["load", "--tag", "t", "--yes", "--file", path]).status == 4)
    let isUntouched = try GuestContent(ofFile: path) == before
    #expect(isUntouched)
  }

  @Test("the first write clears unknown autoclear bits; compatible bits and extensions stay")
  func writing() throws {
    for arguments in [
      ["save", "--tag", "t"], ["load", "--tag", "t", "--yes"], ["delete", "--tag", "t", "--yes"],
    ] {
      let result = try program.attempt(arguments + ["--file", path])
      #expect(result.status == 0, "\(result.failure())")
      let header = try header()
      #expect(header[80] == 0 && header[81] == 8)
      #expect(header[89] & 4 == 0)
      #expect(hasExtension(header))
      #expect(try QemuImg.check(path).isClean)
    }
    // QEMU keeps them too.
    try QemuIO.write(2, at: 0, length: 100, in: path)
    #expect(hasExtension(try header()))
  }
}
