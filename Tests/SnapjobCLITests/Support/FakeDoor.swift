import QMP
import Synchronization

@testable import SnapjobCLI

/// A door to a fake endpoint that remembers how it was opened.
final class FakeDoor: Door {
  private let endpoint: FakeEndpoint
  private let failure: QMPError?
  private let opened = Mutex<[DoorRequest]>([])
  private let closed = Mutex(0)

  init(_ endpoint: FakeEndpoint, failure: QMPError? = nil) {
    self.endpoint = endpoint
    self.failure = failure
  }

  func open(_ request: DoorRequest) async throws(QMPError) -> OpenDoor {
    opened.withLock { $0.append(request) }
    if let failure { throw failure }
    return OpenDoor(endpoint: endpoint, close: { self.closed.withLock { $0 += 1 } })
  }

  var requests: [DoorRequest] { opened.withLock { $0 } }
  var closeCount: Int { closed.withLock { $0 } }
}
