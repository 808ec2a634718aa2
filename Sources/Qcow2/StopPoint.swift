#if DEBUG
  import Glibc
#endif

/// A place where a test of a debug build can make the process die as if by `kill -9`.
///
/// `SNAPJOB_STOP_AT=before-publish` stops at the first passage of that name, `before-publish:2` at the
/// second. Release builds have no such places.
public enum StopPoint: String, Sendable, CaseIterable {
  case beforeIntent = "before-intent"
  case afterIntent = "after-intent"
  case beforeFence = "before-fence"
  case afterFence = "after-fence"
  case beforeRecord = "before-record"
  case afterRecord = "after-record"
  case beforePublish = "before-publish"
  case afterPublish = "after-publish"
  case beforeSettle = "before-settle"
  case afterSettle = "after-settle"

  #if DEBUG
    private static let passages = PassageCounter()

    /// Dies here if the environment says so.
    public func reach() {
      guard let text = getenv("SNAPJOB_STOP_AT") else { return }
      let parts = String(cString: text).split(separator: ":")
      guard parts.first.map(String.init) == rawValue else { return }
      let wanted = parts.count > 1 ? Int(parts[1]) ?? 1 : 1
      if Self.passages.next() == wanted { kill(getpid(), SIGKILL) }
    }
  #else
    /// Does nothing in a release build.
    @inlinable public func reach() {}
  #endif
}

#if DEBUG
  private import Synchronization

  /// How often the stop point of this process was passed.
  private final class PassageCounter: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
      count.withLock {
        $0 += 1
        return $0
      }
    }
  }
#endif
