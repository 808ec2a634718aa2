import Synchronization

@testable import SnapjobCLI

/// A sink that keeps what it is given.
final class CapturedText: TextSink {
  private let content = Mutex("")
  let problem: String?

  /// Makes a sink; `problem` is why it takes nothing.
  init(problem: String? = nil) { self.problem = problem }

  func write(_ text: String) {
    if problem == nil { content.withLock { $0 += text } }
  }

  /// All of it.
  var text: String { content.withLock { $0 } }
  /// Its lines.
  var lines: [String] { text.split(separator: "\n").map(String.init) }
}
