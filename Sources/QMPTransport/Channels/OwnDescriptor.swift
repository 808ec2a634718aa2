import Glibc
import Jobs
import Synchronization

/// A descriptor that is closed once, at the latest with its last reference.
final class OwnDescriptor: Sendable {
  let number: CInt
  private let isClosed = Atomic(false)
  private let finished = Atomic(false)

  init(_ number: CInt) { self.number = number }

  deinit { close() }

  /// Whether what was to be written is complete.
  var isFinished: Bool { finished.load(ordering: .relaxed) }

  /// Notes that what was to be written is complete.
  func finish() { finished.store(true, ordering: .relaxed) }

  func close() {
    guard !isClosed.exchange(true, ordering: .relaxed) else { return }
    Glibc.close(number)
  }

  /// Waits until something can be done without waiting.
  ///
  /// - Returns: false if time has passed before.
  func waits(for event: CInt, within patience: Duration) throws(JobError) -> Bool {
    var entry = pollfd(fd: number, events: Int16(event), revents: 0)
    let milliseconds =
      patience.components.seconds * 1000
      + patience.components.attoseconds / 1_000_000_000_000_000
    let count = poll(&entry, 1, CInt(clamping: milliseconds))
    if count > 0 { return true }
    if count == 0 || errno == EINTR { return false }
    throw JobError(.general, "cannot wait for a socket: \(String(cString: strerror(errno)))")
  }
}
