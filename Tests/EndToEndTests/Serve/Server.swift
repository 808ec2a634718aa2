import Glibc
import SystemPackage
import TestOracles

/// A running `snapjob serve`.
final class Server {
  let process: ChildProcess
  private let log: String

  /// Starts it with the catalog of a program; the arguments are what follows `snapjob`.
  init(_ program: Program, _ arguments: [String]) throws {
    log = program.path("server-\(UInt32.random(in: .min ... .max)).log")
    let input = try FileDescriptor.open("/dev/null", .readOnly, options: .closeOnExec)
    let output = try FileDescriptor.open(
      FilePath(log), .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    defer {
      try? input.close()
      try? output.close()
    }
    process = try program.start(arguments, input: input, output: output, error: output)
  }

  /// What it has said so far.
  func words() throws -> String { try Command.run("cat", [log]).text }

  /// Ends it as a service manager does; returns its exit status.
  func terminate() -> Int32 {
    process.send(signal: SIGTERM)
    return process.wait()
  }

  /// The most memory that it has had so far, in bytes.
  func peakMemory() throws -> Int {
    let status = try Command.run("cat", ["/proc/\(process.pid)/status"]).text
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    guard let number = line?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
      throw OracleError("no VmHWM in \(status)")
    }
    return number << 10
  }

  /// What the server may take, whatever clients do.
  static let memoryLimit = 256 << 20
}
