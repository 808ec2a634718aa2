import Synchronization

@testable import SnapjobCLI

/// Remembers what would have been started.
final class FakeSpawner: WorkerSpawner {
  private let started = Mutex<[[String]]>([])
  private let letGoStatuses = Mutex<[ExitStatus]>([])

  func run(_ arguments: [String]) throws(CommandFailure) -> ExitStatus {
    started.withLock { $0.append(arguments) }
    return ExitStatus(rawValue: 7)
  }

  func letGo(_ status: ExitStatus) { letGoStatuses.withLock { $0.append(status) } }

  var arguments: [[String]] { started.withLock { $0 } }
  var letGos: [ExitStatus] { letGoStatuses.withLock { $0 } }
}
