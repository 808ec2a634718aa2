import Qcow2
import TestOracles
import Testing

/// Images that are not changed, and what the user is told.
@Suite("Refused images") struct RefusedImageTests {
  private let program: Program
  private let path: String

  init() throws {
    program = try Program()
    path = program.path("disk.qcow2")
  }

  /// Overwrites bytes of the image file.
  private func poke(_ bytes: [UInt8], at offset: Int64) throws {
    try PosixFile(opening: path, .readWrite).write(bytes, at: offset)
  }

  /// Fails the test unless a save, a load and a delete end with a code and these words, and leave every
  /// byte of the file as it is.
  private func expectRefusal(
    code: Int32 = 9, _ words: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try GuestContent(ofFile: path)
    for arguments in [
      ["save", "--tag", "t"], ["load", "--tag", "old", "--yes"],
      ["delete", "--tag", "old", "--yes"],
    ] {
      let result = try program.attempt(arguments + ["--file", path])
      #expect(result.status == code, "\(result.failure())", sourceLocation: sourceLocation)
      #expect(
        result.standardError.contains(words), "\(result.standardError)",
        sourceLocation: sourceLocation)
      #expect(result.standardError.contains("disk.qcow2"), sourceLocation: sourceLocation)
    }
    let isUntouched = try GuestContent(ofFile: path) == before
    #expect(isUntouched, sourceLocation: sourceLocation)
  }

  @Test("an image with an external data file is refused by name")
  func externalDataFile() throws {
    try QemuImg.create(path, size: "1M", options: ["data_file=\(path).raw"])
    try expectRefusal("external data file")
  }

  @Test("an image that is marked corrupt is refused until a repair, and can be checked")
  func markedCorrupt() throws {
    try QemuImg.create(path, size: "1M")
    try QemuIO.write(1, at: 0, length: 100_000, in: path)
    try QemuImg.createSnapshot("old", in: path)
    try poke([2], at: 79)
    try expectRefusal("marked corrupt; repair it with: snapjob check \(path) --repair all")
    try program.run("check", path)
    try program.run("check", "--repair", "all", path)
    #expect(try QemuImg.info(path)["format-specific"]?["data"]?["corrupt"] == .bool(false))
    try program.run("save", "--tag", "t", "--file", path)
    #expect(try QemuImg.check(path).isClean)
    try QemuIO.write(2, at: 0, length: 100_000, in: path)
  }

  @Test("an unknown incompatible feature is refused, by its bit where the image has no name for it")
  func unknownFeature() throws {
    try QemuImg.create(path, size: "1M")
    try poke([0, 0, 1, 0], at: 72)
    try expectRefusal(
      "Unsupported qcow2 feature(s): Unknown incompatible feature: 0x10000000000")
    #expect(try program.attempt(["check", path]).status == 1)
  }

  @Test(
    "sizes and offsets over the limits are refused in QEMU's words",
    arguments: [
      ([0, 0, 0, 22], 20, "Unsupported cluster size: 2^22"),
      ([0x7f, 0xff, 0xff, 0xff], 36, "Active L1 table too large"),
      ([0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef], 40, "Active L1 table offset invalid"),
      ([0x80, 0, 0, 0], 48, "Reference count table offset invalid"),
      ([0, 1, 0, 1], 60, "Snapshot table too large"),
      ([0, 0, 0, 1, 0, 0, 0, 1], 60, "Snapshot table offset invalid"),
      ([0, 0, 0, 7], 96, "Reference count entry width too large; may not exceed 64 bits"),
      ([0, 1, 0, 8], 100, "qcow2 header exceeds cluster size"),
    ] as [([UInt8], Int64, String)])
  func overLimit(bytes: [UInt8], offset: Int64, words: String) throws {
    try QemuImg.create(path, size: "1M")
    try poke(bytes, at: offset)
    if words.hasPrefix("Snapshot table offset") { try poke([0, 0, 0, 0, 0, 0, 0, 1], at: 64) }
    try expectRefusal(words)
    let qemu = try Command.attempt("qemu-img", ["info", "-f", "qcow2", path])
    #expect(qemu.status == 1 && qemu.standardError.contains(words), "\(qemu.failure())")
  }

  @Test(
    "the content of an encrypted image is not read, and the user is told so",
    arguments: [ImageFormat.Kind.luks, .aes])
  func encrypted(kind: ImageFormat.Kind) throws {
    let image = try FormattedImage(ImageFormat(kind: kind), in: program.directory)
    try image.io(["write -P 1 0 100k"])
    try program.run("save", "--tag", "t", "--file", image.path)
    let result = try program.run("verify", image.path)
    #expect(
      result.text.contains("snapshot 't': no digest: 128 KiB are encrypted"), "\(result.text)")
  }

  @Test(
    "an image whose refcounts of one bit are all in use is saved by nobody, and the reason is said")
  func oneBit() throws {
    try QemuImg.create(path, size: "1M", options: ["refcount_bits=1"])
    try QemuImg.createSnapshot("old", in: path)
    try QemuIO.write(1, at: 0, length: 100_000, in: path)
    let before = try GuestContent(ofFile: path)
    let result = try program.attempt(["save", "--tag", "t", "--file", path])
    #expect(result.status == 9, "\(result.failure())")
    #expect(
      result.standardError.contains("this image's refcounts end at 1"), "\(result.standardError)")
    let isUntouched = try GuestContent(ofFile: path) == before
    #expect(isUntouched)
    #expect(try Command.attempt("qemu-img", ["snapshot", "-c", "t", path]).status == 1)
  }
}
