/// One of the QEMUs that tests run side by side.
public enum QemuRelease: String, Sendable, CaseIterable, CustomStringConvertible {
  /// Debian 12's own, found in `PATH`.
  case debian12 = "7.2"
  /// That of Debian 12's backports, as `make qemu10` unpacks it.
  case backports = "10.0"

  /// Its name and version.
  public var description: String { "QEMU \(rawValue)" }

  private static let root =
    #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

  /// What to run for one of its programs.
  ///
  /// - Parameter program: `qemu-img`, `qemu-io`, …
  /// - Returns: a name to look up in `PATH`, or a path.
  public func path(of program: String) -> String {
    switch self {
    case .debian12: program
    case .backports: "\(Self.root)/.build/qemu10/bin/\(program)"
    }
  }

  /// Makes sure that it is there and of this release.
  ///
  /// - Throws: ``OracleError`` with what to do.
  public func requirePresence() throws(OracleError) {
    let result = try Command.attempt(path(of: "qemu-img"), ["--version"])
    guard result.status == 0, result.text.contains("version \(rawValue).") else {
      let remedy = self == .backports ? "make qemu10" : "install Debian 12's qemu-utils"
      throw OracleError("no \(self) (\(remedy)): \(result.failure())")
    }
  }

  /// Runs one of its programs, whatever the exit status.
  ///
  /// - Parameters:
  ///   - command: the program and its arguments.
  ///   - directory: its working directory; this process's if nil.
  /// - Returns: its status and output.
  /// - Throws: ``OracleError`` if it cannot be started.
  public func attempt(
    _ command: [String], in directory: String? = nil
  ) throws(OracleError) -> CommandResult {
    guard let program = command.first else { throw OracleError("no program named") }
    return try Command.attempt(
      path(of: program), Array(command.dropFirst()), directory: directory)
  }

  /// Runs one of its programs and expects success.
  ///
  /// - Parameters:
  ///   - command: the program and its arguments.
  ///   - directory: its working directory; this process's if nil.
  /// - Returns: its output.
  /// - Throws: ``OracleError`` with all it said, if its exit status is not 0.
  @discardableResult public func run(
    _ command: [String], in directory: String? = nil
  ) throws(OracleError) -> CommandResult {
    let result = try attempt(command, in: directory)
    guard result.status == 0 else { throw result.failure() }
    return result
  }
}
