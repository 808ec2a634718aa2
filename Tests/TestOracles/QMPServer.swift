import Glibc
import SystemPackage

/// The value of `-blockdev` for a qcow2 file.
func blockdev(node: String, path: String, isReadOnly: Bool = false) -> String {
  """
  {"driver": "qcow2", "node-name": \(JSONValue.quoted(node)), "read-only": \(isReadOnly), \
  "discard": "unmap", "file": {"driver": "file", "filename": \(JSONValue.quoted(path))}}
  """
}

/// Starts a program that serves QMP, and connects to it.
///
/// - Parameters:
///   - words: the program and its arguments.
///   - environment: set in addition to this process's own.
///   - socketPath: where it will listen.
///   - readyPath: a file that it makes once it is ready; nil if its socket says so.
///   - directory: for its output, which becomes part of the error if it does not start.
/// - Returns: the running program and the connection.
/// - Throws: ``OracleError`` with its output, if it did not start.
public func startServer(
  _ words: [String], environment: [String: String] = [:], socketPath: String,
  readyPath: String? = nil, _ directory: TemporaryDirectory
) throws(OracleError) -> (ChildProcess, QMPSocket) {
  let logPath = directory.path("log")
  let (input, log): (FileDescriptor, FileDescriptor)
  do {
    input = try .open("/dev/null", .readOnly, options: .closeOnExec)
    log = try .open(
      FilePath(logPath), .writeOnly, options: [.create, .closeOnExec],
      permissions: .ownerReadWrite)
  } catch {
    throw OracleError("cannot start \(words): \(error)")
  }
  defer {
    input.closeIgnoringErrors()
    log.closeIgnoringErrors()
  }
  let process = try ChildProcess(
    words, environment: environment, input: input, output: log, error: log)
  do {
    // Who does not become ready is told of by the connection that fails then.
    let deadline = ContinuousClock.now + .seconds(60)
    while let readyPath, access(readyPath, F_OK) != 0, !process.hasEnded(),
      ContinuousClock.now < deadline
    {
      usleep(5_000)
    }
    return (process, try QMPSocket(path: socketPath, of: process))
  } catch {
    throw OracleError("\(error)\n\(try Command.run("cat", [logPath]).text)")
  }
}
