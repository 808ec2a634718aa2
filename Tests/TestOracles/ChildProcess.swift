@preconcurrency import Glibc
import Synchronization
public import SystemPackage

/// A program that was started and goes on by itself. It is killed when the last reference goes.
public final class ChildProcess: Sendable {
  /// Its process id.
  public let pid: Int32
  /// How it was started, for messages.
  public let commandLine: String
  private let exitStatus = Mutex<Int32?>(nil)

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - words: the program (a path, or a name that is looked up in `PATH`) and its arguments.
  ///   - environment: set in addition to this process's own.
  ///   - input: its standard input.
  ///   - output: its standard output.
  ///   - error: its standard error.
  /// - Throws: ``OracleError`` if it cannot be started.
  public init(
    _ words: [String], environment: [String: String] = [:], input: FileDescriptor,
    output: FileDescriptor, error: FileDescriptor
  ) throws(OracleError) {
    commandLine = words.map(Self.quoted).joined(separator: " ")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input.rawValue, 0)
    posix_spawn_file_actions_adddup2(&actions, output.rawValue, 1)
    posix_spawn_file_actions_adddup2(&actions, error.rawValue, 2)
    // A test runner may ignore or block signals; a program starts with none of that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    let arguments = CStringList(words)
    let variables = CStringList(Self.environment(with: environment))
    var pid: pid_t = 0
    let result = posix_spawnp(
      &pid, words[0], &actions, &attributes, arguments.pointers, variables.pointers)
    guard result == 0 else {
      throw OracleError("cannot start \(commandLine): \(Errno(rawValue: result))")
    }
    self.pid = pid
  }

  deinit {
    kill()
    _ = wait()
  }

  /// Whether it has ended.
  public func hasEnded() -> Bool { reap(WNOHANG) != nil }

  /// Waits for its end.
  ///
  /// - Returns: the exit status; 128 plus the signal's number if a signal ended it.
  public func wait() -> Int32 { reap(0) ?? -1 }

  /// Sends a signal, unless it has ended.
  public func send(signal: Int32) {
    exitStatus.withLock { status in
      if status == nil { _ = Glibc.kill(pid, signal) }
    }
  }

  /// Ends it at once, as a crash would (SIGKILL). Does not wait.
  public func kill() { send(signal: SIGKILL) }

  private func reap(_ options: Int32) -> Int32? {
    exitStatus.withLock { known in
      if let known { return known }
      var status: Int32 = 0
      while true {
        let result = waitpid(pid, &status, options)
        if result == pid { break }
        if result == 0 { return nil }
        if errno != EINTR { return nil }
      }
      let signal = status & 0x7f
      known = signal == 0 ? (status >> 8) & 0xff : 128 + signal
      return known
    }
  }

  /// This process's environment with some variables set.
  private static func environment(with changes: [String: String]) -> [String] {
    var list: [String] = []
    var next: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = environ
    while let entry = next?.pointee {
      let text = String(cString: entry)
      if changes[String(text.prefix { $0 != "=" })] == nil { list.append(text) }
      next = next?.advanced(by: 1)
    }
    return list + changes.map { "\($0.key)=\($0.value)" }
  }

  private static func quoted(_ word: String) -> String {
    let plain = word.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "-_./=:,+@%".utf8.contains(byte)
      }
    }
    guard !plain || word.isEmpty else { return word }
    return "'"
      + word.split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "'\\''") + "'"
  }
}

/// A list of C strings that ends with nil, as `argv` does.
private final class CStringList {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ strings: [String]) {
    count = strings.count
    pointers = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
    pointers[count] = nil
  }

  deinit {
    for index in 0..<count { free(pointers[index]) }
    pointers.deallocate()
  }
}
