import SystemPackage

/// What a finished command left behind.
public struct CommandResult: Sendable {
  /// The command line, for messages.
  public let command: String
  /// The exit status; 128 plus the signal's number if a signal ended it.
  public let status: Int32
  /// What it wrote to standard output.
  public let output: [UInt8]
  /// What it wrote to standard error.
  public let standardError: String

  /// Standard output as text.
  public var text: String { String(decoding: output, as: UTF8.self) }

  /// An error that shows the command and all it said.
  public func failure() -> OracleError {
    OracleError("\(command)\nexit status \(status)\n\(standardError)\(text)")
  }
}

/// Other programs, run and waited for.
public enum Command {
  /// Runs a program, whatever its exit status.
  ///
  /// - Parameters:
  ///   - program: a path, or a name that is looked up in `PATH`.
  ///   - arguments: without the program's own name.
  ///   - input: what it reads from standard input; nothing if left out.
  ///   - environment: set in addition to this process's own.
  ///   - directory: its working directory; this process's if nil.
  ///   - limit: when to kill it; generous, as it only keeps a hanging test from hanging for ever.
  /// - Returns: its status and output.
  /// - Throws: ``OracleError`` if it cannot be started, or was killed at the limit.
  public static func attempt(
    _ program: String, _ arguments: [String], input: [UInt8] = [],
    environment: [String: String] = [:], directory: String? = nil,
    limit: Duration = .seconds(300)
  ) throws(OracleError) -> CommandResult {
    var words = [program] + arguments
    if let directory { words = ["env", "-C", directory] + words }
    let output = try Pipe()
    let errors = try Pipe()
    let inputFile = try inputDescriptor(input)
    defer { inputFile.closeIgnoringErrors() }
    let child = try ChildProcess(
      words, environment: environment, input: inputFile, output: output.writeEnd,
      error: errors.writeEnd)
    output.closeWriteEnd()
    errors.closeWriteEnd()
    let (outputBytes, errorBytes) = try collect(output, errors, child, limit: limit)
    let status = child.wait()
    return CommandResult(
      command: child.commandLine, status: status, output: outputBytes,
      standardError: String(decoding: errorBytes, as: UTF8.self))
  }

  /// Runs a program that is expected to succeed.
  ///
  /// - Parameters:
  ///   - program: a path, or a name that is looked up in `PATH`.
  ///   - arguments: without the program's own name.
  ///   - input: what it reads from standard input; nothing if left out.
  ///   - environment: set in addition to this process's own.
  ///   - directory: its working directory; this process's if nil.
  ///   - limit: when to kill it.
  /// - Returns: its output.
  /// - Throws: ``OracleError`` with all it said, if its exit status is not 0.
  @discardableResult public static func run(
    _ program: String, _ arguments: [String], input: [UInt8] = [],
    environment: [String: String] = [:], directory: String? = nil,
    limit: Duration = .seconds(300)
  ) throws(OracleError) -> CommandResult {
    let result = try attempt(
      program, arguments, input: input, environment: environment, directory: directory,
      limit: limit)
    guard result.status == 0 else { throw result.failure() }
    return result
  }

  /// The SHA-256 of a file, as `sha256sum` prints it.
  ///
  /// - Parameter path: the file.
  /// - Returns: 64 hexadecimal digits.
  /// - Throws: ``OracleError`` if it cannot be read.
  public static func sha256(ofFile path: String) throws(OracleError) -> String {
    // Read through standard input: sha256sum escapes unusual names in its output.
    let text = try run("sh", ["-c", "exec sha256sum < \"$1\"", "sh", path]).text
    return String(text.prefix { $0 != " " })
  }

  /// Reads both pipes until they end, or until the child has ended and they are empty (a
  /// grandchild may keep them open).
  private static func collect(
    _ output: Pipe, _ errors: Pipe, _ child: ChildProcess, limit: Duration
  ) throws(OracleError) -> ([UInt8], [UInt8]) {
    let deadline = ContinuousClock.now + limit
    var outputBytes: [UInt8] = []
    var errorBytes: [UInt8] = []
    while true {
      let hasEnded = child.hasEnded()
      let outputIsOpen = try output.drain(into: &outputBytes)
      let errorsAreOpen = try errors.drain(into: &errorBytes)
      if hasEnded || !(outputIsOpen || errorsAreOpen) { return (outputBytes, errorBytes) }
      if ContinuousClock.now > deadline {
        child.kill()
        _ = child.wait()
        throw OracleError(
          "\(child.commandLine)\nkilled after \(limit)\n"
            + String(decoding: errorBytes + outputBytes, as: UTF8.self))
      }
      Pipe.wait(for: [output, errors].filter(\.isOpen), atMost: .milliseconds(20))
    }
  }

  /// A descriptor that yields these bytes and then ends.
  private static func inputDescriptor(_ bytes: [UInt8]) throws(OracleError) -> FileDescriptor {
    do {
      guard !bytes.isEmpty else { return try .open("/dev/null", .readOnly, options: .closeOnExec) }
      let directory = try TemporaryDirectory()
      let file = try FileDescriptor.open(
        FilePath(directory.path("input")), .readWrite, options: [.create, .closeOnExec],
        permissions: .ownerReadWrite)
      try file.writeAll(bytes)
      try file.seek(offset: 0, from: .start)
      return file
    } catch {
      throw OracleError("cannot prepare standard input: \(error)")
    }
  }
}

extension FileDescriptor {
  /// Closes; there is nothing to do about an error.
  func closeIgnoringErrors() { _ = try? close() }
}
