import Dispatch
import Qcow2
import Synchronization
import TestFiles

/// Keeps threads waiting until it is opened.
final class Gate: Sendable {
  private let isOpen = Mutex(false)
  private let reached = DispatchSemaphore(value: 0)
  private let opened = DispatchSemaphore(value: 0)

  /// Waits until it is open.
  func pass() {
    if isOpen.withLock({ $0 }) { return }
    reached.signal()
    opened.wait()
    opened.signal()
  }

  /// Waits until a thread waits.
  func waitUntilReached() { reached.wait() }

  func open() {
    isOpen.withLock { $0 = true }
    opened.signal()
  }
}

/// Lets every change of a file wait for a gate.
struct GateKeeper: FileObserver {
  let gate: Gate

  func perform(
    _ operation: FileOperation, on file: any ImageFile,
    _ body: () throws(Qcow2Error) -> Void
  ) throws(Qcow2Error) {
    gate.pass()
    try body()
  }
}
