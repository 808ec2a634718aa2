import Synchronization

@testable import SnapjobCLI

/// A sink that keeps what it is given.
final class CapturedText: TextSink {
  private let content = Mutex("")

  func write(_ text: String) { content.withLock { $0 += text } }

  /// All of it.
  var text: String { content.withLock { $0 } }
  /// Its lines.
  var lines: [String] { text.split(separator: "\n").map(String.init) }
}
