import Synchronization

@testable import SnapjobCLI

/// Remembers what would have been started.
final class FakeSpawner: WorkerSpawner {
  private let started = Mutex<[[String]]>([])
  private let letGoCount = Mutex(0)

  func run(_ arguments: [String]) throws(CommandFailure) -> ExitStatus {
    started.withLock { $0.append(arguments) }
    return ExitStatus(rawValue: 7)
  }

  func letGo() { letGoCount.withLock { $0 += 1 } }

  var arguments: [[String]] { started.withLock { $0 } }
  var letGos: Int { letGoCount.withLock { $0 } }
}
