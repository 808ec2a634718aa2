import FileNames
import Glibc
import Synchronization

/// Starts the process in which the work of `--detach` and `--no-auto-finalize` goes on.
protocol WorkerSpawner: Sendable {
  /// Starts the program anew and waits until it lets go or ends.
  ///
  /// The new process has a session of its own, no input, and our output until it lets go.
  ///
  /// - Parameter arguments: the command line without the program's name.
  /// - Returns: the status with which it let go, else how it ended.
  /// - Throws: ``CommandFailure`` if it could not be started.
  func run(_ arguments: [String]) throws(CommandFailure) -> ExitStatus

  /// In the new process: leaves the output and tells the process that waits. The work goes on.
  ///
  /// Only the first call does anything: after it the pipe's number may be that of an image or the catalog.
  ///
  /// - Parameter status: how that process is to end.
  func letGo(_ status: ExitStatus)
}

/// The real one: `posix_spawn` of this very program.
final class ProcessSpawner: WorkerSpawner {
  /// `POSIX_SPAWN_SETSID` of glibc's spawn.h, which Swift's Glibc lacks.
  private static let newSession: Int16 = 0x80
  /// Where the new process finds the pipe on which it says that it lets go.
  private static let statusDescriptor: Int32 = 3

  private let signals: SignalHandling
  private let hasLetGo = Atomic(false)

  init(_ signals: SignalHandling) { self.signals = signals }

  func run(_ arguments: [String]) throws(CommandFailure) -> ExitStatus {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Self.failure(errno) }
    let (readEnd, writeEnd) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(readEnd) }
    let child: pid_t
    do {
      defer { close(writeEnd) }
      child = try spawn(arguments, statusPipe: writeEnd)
    }
    // The child is out of the terminal's reach: what we are told, it is told.
    signals.take { signal, _ in kill(child, signal) }
    defer { signals.release() }
    var byte: UInt8 = 0
    var count = 0
    repeat { count = read(readEnd, &byte, 1) } while count < 0 && errno == EINTR
    if count == 1 { return ExitStatus(rawValue: Int32(byte)) }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
      if errno != EINTR { return .failed }
    }
    let signal = status & 0x7F
    return ExitStatus(rawValue: signal == 0 ? (status >> 8) & 0xFF : 128 + signal)
  }

  func letGo(_ status: ExitStatus) {
    guard !hasLetGo.exchange(true, ordering: .relaxed) else { return }
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    if null >= 0 {
      for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { dup2(null, descriptor) }
      close(null)
    }
    var byte = UInt8(truncatingIfNeeded: status.rawValue)
    _ = write(Self.statusDescriptor, &byte, 1)
    close(Self.statusDescriptor)
  }

  private func spawn(
    _ arguments: [String], statusPipe: Int32
  ) throws(CommandFailure) -> pid_t {
    // dup2 of a descriptor onto itself keeps its close-on-exec flag, so the pipe has to be elsewhere.
    let pipe = fcntl(statusPipe, F_DUPFD_CLOEXEC, Self.statusDescriptor + 1)
    guard pipe >= 0 else { throw Self.failure(errno) }
    defer { close(pipe) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, pipe, Self.statusDescriptor)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var mask = signals.initialMask.value
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setflags(&attributes, Self.newSession | Int16(POSIX_SPAWN_SETSIGMASK))
    var words: [UnsafeMutablePointer<CChar>?] = (["snapjob"] + arguments).map {
      $0.withFileName { strdup($0) }
    }
    defer { words.forEach { free($0) } }
    guard words.allSatisfy({ $0 != nil }) else { throw Self.failure(ENOMEM) }
    words.append(nil)
    var child = pid_t()
    let code = posix_spawn(&child, "/proc/self/exe", &actions, &attributes, words, environ)
    guard code == 0 else { throw Self.failure(code) }
    return child
  }

  private static func failure(_ code: Int32) -> CommandFailure {
    CommandFailure(
      .failed, "cannot start a process for the job: \(String(cString: strerror(code)))")
  }
}
