import Dispatch
import FileNames
import FoundationEssentials
import Glibc
import QMP
import Qcow2
import SnapjobCLI
import Synchronization

/// Runs a command line against an endpoint that says what the input says.
///
/// An empty line parts what the input has: the words of the command line, one a line; the server's messages, one a
/// line, which are replies to one command after the other, or events; the text of the file that the word `FILE` stands
/// for. Beside that file lie two images, `a.qcow2` and `b.qcow2`.
struct CommandLineExercise {
  private let arguments: [String]
  private let messages: [QMPServerMessage]
  private let file: String

  private static let directory =
    (ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp") + "/snapjob-fuzz-run-\(getpid())"
  private static let path = directory + "/job.yaml"
  private static let hasImages: Bool = {
    _ = mkdir(directory, 0o700)
    return ["a", "b"].allSatisfy { name in
      (try? Image.create("\(directory)/\(name).qcow2", CreateOptions(size: 1 << 20))) != nil
    }
  }()

  init(_ bytes: [UInt8]) {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    let parts = lines.split(separator: "", maxSplits: 2, omittingEmptySubsequences: false)
    arguments = parts[0].map { $0 == "FILE" ? Self.path : $0 }
    messages = (parts.count > 1 ? parts[1] : []).compactMap {
      try? QMPServerMessage(QMPValue(parsing: $0))
    }
    file = parts.count > 2 ? parts[2].joined(separator: "\n") : ""
  }

  func run() throws(Finding) {
    // A command line cannot have a zero byte, and files are not the fuzzer's to read.
    let isHarmless = arguments.allSatisfy {
      $0 == Self.path || !$0.contains("\0") && !$0.contains("/dev")
    }
    guard isHarmless else { return }
    if arguments.contains(Self.path) {
      let isWritten =
        Self.hasImages
        && (try? file.write(toFile: Self.path, atomically: false, encoding: .utf8)) != nil
      try require(isWritten, "no directory \(Self.directory): set TMPDIR")
    }
    let program = IsolatedProgram(Transcript(messages), environment: ["HOME": "/home/user"])
    let arguments = arguments
    let outcome = Outcome()
    Task.detached { outcome.set(await program.run(arguments)) }
    let (status, text) = outcome.get()
    try require((0...255).contains(status), "exit code \(status)")
    let silent: Set<Int32> = [0, 2, 3]
    try require(silent.contains(status) || !text.isEmpty, "exit code \(status) without a word")
  }
}

/// What becomes of a run, for a thread that waits for it.
private final class Outcome: Sendable {
  private let hasEnded = DispatchSemaphore(value: 0)
  private let result = Mutex<(status: Int32, text: String)>((0, ""))

  func set(_ value: (status: Int32, out: String, err: String)) {
    result.withLock { $0 = (value.status, value.out + value.err) }
    hasEnded.signal()
  }

  func get() -> (status: Int32, text: String) {
    hasEnded.wait()
    return result.withLock { $0 }
  }
}

/// An endpoint that says what was written down; behind the last reply the connection is lost.
private final class Transcript: QMPEndpoint {
  private let replies: Mutex<ArraySlice<Result<QMPValue, QMPError>>>
  private let queue: [QMPEvent]

  init(_ messages: [QMPServerMessage]) {
    let replies = messages.compactMap { if case .reply(_, let reply) = $0 { reply } else { nil } }
    self.replies = Mutex(replies[...])
    queue = messages.compactMap { if case .event(let event) = $0 { event } else { nil } }
  }

  func execute(_ command: String, _ arguments: QMPValue?) async throws(QMPError) -> QMPValue {
    guard let reply = replies.withLock({ $0.popFirst() }) else {
      throw QMPError(.genericError, "The connection is lost", kind: "connection")
    }
    return try reply.get()
  }

  func events() -> AsyncStream<QMPEvent> {
    let queue = queue
    return AsyncStream { continuation in
      for event in queue { continuation.yield(event) }
      continuation.finish()
    }
  }
}
