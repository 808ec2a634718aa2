import FileNames
import Glibc
import QMP

/// What a run of the program meets outside itself; tests bring their own.
struct Surroundings: Sendable {
  /// Where text goes and answers come from.
  let console: Console
  /// The environment variables.
  let environment: [String: String]
  /// The effective user.
  let userID: UInt32
  /// Clock, randomness and current directory.
  let host: Host
  /// The way to an engine.
  let door: any Door
  /// Interruptions by the user.
  let signals: any Interruptions
  /// Starts the process in which detached work goes on.
  let spawner: any WorkerSpawner
}

/// Clock, randomness and current directory.
struct Host: Sendable {
  /// Microseconds since 1970-01-01T00:00:00Z.
  let now: @Sendable () -> Int64
  /// A fresh random number.
  let random: @Sendable () -> UInt16
  /// Where relative paths start, or why that cannot be told: the directory was removed, say.
  let currentDirectory: Result<String, QMPError>
  /// The computer's name without a domain.
  let name: String
  /// How often a job in progress is looked at, beside its events.
  let pollInterval: Duration

  /// The real ones.
  static func current() -> Host {
    Host(
      now: {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
      },
      random: { UInt16.random(in: .min ... .max) },
      currentDirectory: Result { () throws(QMPError) in try workingDirectory() },
      name: computerName(), pollInterval: .milliseconds(200))
  }

  private static func workingDirectory() throws(QMPError) -> String {
    guard let directory = getcwd() else {
      let cause = errno
      throw QMPError(
        .genericError,
        "the working directory cannot be told (\(String(cString: strerror(cause)))), so a name without a "
          + "leading '/' names nothing. Change the directory, or name files from '/' on",
        kind: cause == ENOENT ? "notFound" : cause == EACCES ? "permission" : "general")
    }
    return directory
  }

  private static func computerName() -> String {
    var buffer = [CChar](repeating: 0, count: Int(HOST_NAME_MAX) + 1)
    guard gethostname(&buffer, buffer.count) == 0 else { return "localhost" }
    let name = buffer.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: ".")) }
    return String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A path as it is meant from the current directory; `.` steps are dropped, `..` and symbolic
  /// links stay as they are.
  ///
  /// - Throws: `QMPError` for a relative path if the current directory cannot be told.
  func absolute(_ path: String) throws(QMPError) -> String {
    path.absolutePath(in: path.isAbsolutePath ? "/" : try currentDirectory.get())
  }

  /// Whether something of this name exists, a dangling symbolic link included.
  func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  /// The text of a file.
  ///
  /// - Parameter path: relative ones count from the current directory.
  /// - Returns: the text.
  /// - Throws: `QMPError`: not found, no permission, or refused if it is too long or no text.
  func contents(of path: String) throws(QMPError) -> String {
    let path = try absolute(path)
    func failure(_ text: String, _ kind: String) -> QMPError {
      QMPError(.genericError, "\(path): \(text)", kind: kind)
    }
    guard let file = fopen(path, "re") else {
      let cause = errno
      throw failure(
        String(cString: strerror(cause)),
        cause == ENOENT || cause == ENOTDIR
          ? "notFound" : cause == EACCES ? "permission" : "general")
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: Self.maximumTextByteCount + 1)
    let count = fread(&bytes, 1, bytes.count, file)
    guard ferror(file) == 0 else { throw failure("it cannot be read", "general") }
    guard count <= Self.maximumTextByteCount else {
      throw failure("it has more than \(Self.maximumTextByteCount) bytes", "refused")
    }
    guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
      throw failure("it is no text", "refused")
    }
    return text
  }

  /// Bytes of a text that is read as a whole; 65,535 bitmaps with long names have less.
  private static let maximumTextByteCount = 1 << 24

  /// Whether a path leads to a block device.
  func isBlockDevice(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFBLK
  }
}
