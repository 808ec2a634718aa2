import Glibc
import TestOracles

/// An image of some format, made, written and read by qemu's programs.
struct FormattedImage {
  let format: ImageFormat
  let path: String
  private let directory: TemporaryDirectory

  private static let secret = "secret,id=key,data=0123456789abcdef"
  /// Of every byte of the backing file.
  static let backingByte: UInt8 = 0xbb

  /// Makes an empty image.
  ///
  /// - Parameters:
  ///   - format: what is special about it.
  ///   - directory: where it, and what belongs to it, will lie.
  ///   - size: the disk's, in bytes.
  /// - Throws: what qemu's programs said.
  init(_ format: ImageFormat, in directory: TemporaryDirectory, size: Int? = nil) throws {
    self.format = format
    self.directory = directory
    path = directory.path("disk.qcow2")
    let size = size ?? format.diskSize
    var arguments = ["create", "-q", "-f", "qcow2", "-o", format.options.joined(separator: ",")]
    if format.isEncrypted { arguments += ["--object", Self.secret] }
    if format.kind == .backing {
      let base = directory.path("base.qcow2")
      // Shorter than the disk: zeros follow it.
      try QemuImg.create(base, size: "\(size / 4 * 3)")
      try QemuIO.write(Self.backingByte, at: 0, length: Int64(size / 4 * 3), in: base)
      arguments += ["-b", base, "-F", "qcow2"]
    }
    try Self.create(arguments + [path, "\(size)"], attempts: format.kind == .luks ? 20 : 1)
    if format.kind == .bitmaps {
      for name in ["daily", "weekly"] {
        try Command.run("qemu-img", ["bitmap", "--add", "-f", "qcow2", path, name])
      }
    }
  }

  /// qemu-img measures the processor for LUKS, and fails where a measurement is too short.
  private static func create(_ arguments: [String], attempts: Int) throws {
    for _ in 1..<attempts where try Command.attempt("qemu-img", arguments).status == 0 { return }
    try Command.run("qemu-img", arguments)
  }

  /// Names the image, and the key if it has one, to qemu's programs.
  private var target: [String] {
    let node = "driver=qcow2,file.driver=file,file.filename=\(path)"
    guard format.isEncrypted else { return ["--image-opts", node] }
    return ["--object", Self.secret, "--image-opts", "\(node),encrypt.key-secret=key"]
  }

  /// Runs commands of qemu-io; a failed one is an error.
  @discardableResult func io(_ commands: [String]) throws -> String {
    let result = try Command.run("qemu-io", commands.flatMap { ["-c", $0] } + target)
    guard !result.text.contains("failed") else { throw result.failure() }
    return result.text
  }

  /// Runs commands of qemu-io, which then dies without closing the image.
  func crash(after commands: [String]) throws {
    let words = (commands + ["abort"]).flatMap { ["-c", $0] }
    let result = try Command.attempt("qemu-io", words + target)
    guard result.status == 128 + SIGABRT else { throw result.failure() }
  }

  /// `qemu-img check`.
  func check() throws -> CommandResult { try Command.attempt("qemu-img", ["check"] + target) }

  /// `qemu-img snapshot` with `-c`, `-a` or `-d`.
  func snapshot(_ flag: String, _ tag: String) throws {
    // Its options come before the image.
    try Command.run("qemu-img", ["snapshot", flag, tag] + target)
  }

  /// `qemu-img resize`.
  func resize(to size: Int) throws {
    try Command.run("qemu-img", ["resize", "-q", "--shrink"] + target + ["\(size)"])
  }

  /// The tags in the table's order.
  func tags() throws -> [String] { try QemuImg.snapshotNames(path) }

  /// What qemu-img says of the bitmaps.
  func bitmaps() throws -> JSONValue? {
    try QemuImg.info(path)["format-specific"]?["data"]?["bitmaps"]
  }

  /// What the guest sees, by `qemu-img convert`.
  ///
  /// - Parameter tag: of a snapshot; nil for the active state.
  /// - Returns: the whole disk.
  /// - Throws: what qemu-img said.
  func content(of tag: String? = nil) throws -> GuestContent {
    let raw = directory.path("raw")
    let choice = tag.map { ["-l", "snapshot.name=\($0)"] } ?? []
    try Command.run("qemu-img", ["convert", "-O", "raw"] + choice + target + [raw])
    return try GuestContent(ofFile: raw)
  }
}
