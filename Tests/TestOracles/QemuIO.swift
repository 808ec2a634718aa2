/// `qemu-io`: writes to images as a guest does.
public enum QemuIO {
  /// Runs commands of qemu-io on an image, opened once.
  ///
  /// - Parameters:
  ///   - commands: `write -P 0x11 0 64k`, `read -P 0x11 0 64k` (fails if the content differs), …
  ///   - path: of the image.
  ///   - flags: of qemu-io itself: `-r` (read-only), `-U` (force-share).
  /// - Returns: what it printed.
  /// - Throws: ``OracleError`` if one of the commands failed, or read something else.
  @discardableResult public static func run(
    _ commands: [String], on path: String, flags: [String] = []
  ) throws(OracleError) -> String {
    let words = commands.flatMap { ["-c", $0] }
    let result = try Command.run("qemu-io", ["-f", "qcow2"] + flags + words + [path])
    // Some versions report a failed command in the output only.
    guard !result.text.contains("failed") else { throw result.failure() }
    return result.text
  }

  /// Fills a range with one byte.
  ///
  /// - Parameters:
  ///   - byte: the value.
  ///   - offset: in bytes.
  ///   - length: in bytes.
  ///   - path: of the image.
  /// - Throws: ``OracleError`` with what qemu-io said.
  public static func write(
    _ byte: UInt8, at offset: Int64, length: Int64, in path: String
  ) throws(OracleError) {
    try run(["write -P \(byte) \(offset) \(length)"], on: path)
  }

  /// Writes whole clusters of one byte, compressed.
  ///
  /// - Parameters:
  ///   - byte: the value.
  ///   - offset: in bytes, a cluster's start.
  ///   - length: in bytes, whole clusters.
  ///   - path: of the image.
  /// - Throws: ``OracleError`` with what qemu-io said.
  public static func writeCompressed(
    _ byte: UInt8, at offset: Int64, length: Int64, in path: String
  ) throws(OracleError) {
    try run(["write -c -P \(byte) \(offset) \(length)"], on: path)
  }

  /// Makes a range read as zeros, by zero clusters where they exist (`write -z`).
  ///
  /// - Parameters:
  ///   - offset: in bytes.
  ///   - length: in bytes.
  ///   - path: of the image.
  /// - Throws: ``OracleError`` with what qemu-io said.
  public static func writeZeros(
    at offset: Int64, length: Int64, in path: String
  ) throws(OracleError) {
    try run(["write -z \(offset) \(length)"], on: path)
  }

  /// Discards a range.
  ///
  /// - Parameters:
  ///   - offset: in bytes.
  ///   - length: in bytes.
  ///   - path: of the image.
  /// - Throws: ``OracleError`` with what qemu-io said.
  public static func discard(
    at offset: Int64, length: Int64, in path: String
  ) throws(OracleError) {
    try run(["discard \(offset) \(length)"], on: path)
  }

  /// Opens an image and keeps it open, with all locks of such a program, until ``HeldImage/close()``
  /// or the last reference goes.
  ///
  /// - Parameters:
  ///   - path: of the image.
  ///   - flags: of qemu-io itself: `-r` (read-only), `-U` (force-share).
  /// - Returns: the running program.
  /// - Throws: ``OracleError`` if it could not open the image.
  public static func hold(_ path: String, flags: [String] = []) throws(OracleError) -> HeldImage {
    try HeldImage(path, flags: flags)
  }
}

/// A qemu-io that has an image open and waits for commands. Used by one thread.
public final class HeldImage {
  private let process: ChildProcess
  private let input: Pipe

  /// Its process id.
  public var pid: Int32 { process.pid }

  fileprivate init(_ path: String, flags: [String]) throws(OracleError) {
    let (input, output) = (try Pipe(), try Pipe())
    process = try ChildProcess(
      ["qemu-io", "-f", "qcow2"] + flags + [path], input: input.readEnd, output: output.writeEnd,
      error: output.writeEnd)
    self.input = input
    output.closeWriteEnd()
    // It prompts for a command when it has opened the image.
    var text: [UInt8] = []
    while try output.drain(into: &text), !String(decoding: text, as: UTF8.self).contains("qemu-io>")
    {
      Pipe.wait(for: [output], atMost: .seconds(1))
    }
    guard output.isOpen else {
      throw OracleError("\(process.commandLine)\n\(String(decoding: text, as: UTF8.self))")
    }
  }

  /// Ends it and waits until its locks are gone.
  public func close() {
    input.closeWriteEnd()
    _ = process.wait()
  }
}
