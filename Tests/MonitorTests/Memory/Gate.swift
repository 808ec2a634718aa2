import Glibc
import Jobs
import Synchronization

/// A door that a test opens for a job's thread.
final class Gate: Sendable {
  private let isOpen = Atomic<Bool>(false)

  func open() { isOpen.store(true, ordering: .releasing) }

  /// Blocks a job's thread, checkpoints apart, until the gate is open.
  func pass(_ control: JobControl) throws(JobError) {
    while !isOpen.load(ordering: .acquiring) {
      try control.checkpoint()
      usleep(500)
    }
  }
}

/// Lines that were told to somebody.
final class Notes: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { lines in lines } }
  func add(_ line: String) { lines.withLock { lines in lines.append(line) } }
}
