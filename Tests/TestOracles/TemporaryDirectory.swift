import Glibc
import SystemPackage

/// A directory for one test; it and its contents go when the last reference does.
public final class TemporaryDirectory: Sendable {
  /// Its absolute path.
  public let path: String

  /// Makes an empty one under `TMPDIR`, or `/tmp`.
  ///
  /// - Throws: ``OracleError`` if the directory cannot be made.
  public convenience init() throws(OracleError) {
    try self.init(in: getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")
  }

  /// Makes an empty one in memory where the system has a place for that, else as ``init()`` does.
  ///
  /// - Throws: ``OracleError`` if the directory cannot be made.
  public static func inMemory() throws(OracleError) -> TemporaryDirectory {
    access("/dev/shm", W_OK) == 0
      ? try TemporaryDirectory(in: "/dev/shm") : try TemporaryDirectory()
  }

  /// Makes an empty one in another directory.
  ///
  /// - Throws: ``OracleError`` if the directory cannot be made.
  public init(in parent: String) throws(OracleError) {
    var template = Array("\(parent)/snapjob-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw OracleError("mkdtemp \(parent)/snapjob-test-XXXXXX failed: errno \(errno)")
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The path of an entry, whether it is there or not.
  public func path(_ name: String) -> String { "\(path)/\(name)" }

  /// Whether there is something of this name.
  public func exists(_ name: String) -> Bool { access(path(name), F_OK) == 0 }

  /// Makes a text file.
  public func write(_ text: String, to name: String) throws {
    let file = try FileDescriptor.open(
      path(name), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    defer { try? file.close() }
    _ = try file.writeAll(text.utf8)
  }

  deinit { _ = try? Command.attempt("rm", ["-rf", "--", path]) }
}
