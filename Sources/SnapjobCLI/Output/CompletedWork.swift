import Synchronization

/// What a run has done that stays: told if its results cannot be written, so that nobody tries again what is
/// done.
final class CompletedWork: Sendable {
  private let list = Mutex<[String]>([])

  /// Adds a sentence without a full stop.
  func add(_ sentence: String) {
    list.withLock { if !$0.contains(sentence) { $0.append(sentence) } }
  }

  /// All of them, in order.
  var sentences: [String] { list.withLock { $0 } }
}
