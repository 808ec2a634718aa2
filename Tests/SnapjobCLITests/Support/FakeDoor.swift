import QMP
import Snapjob
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

  /// The plans of the services that were run; each ends at once.
  var plans: [QMPService.Plan] { served.withLock { $0 } }
  private let served = Mutex<[QMPService.Plan]>([])

  func service(
    _ request: DoorRequest, plan: QMPService.Plan, guests: QMPService.Guests
  ) async throws(QMPError) -> OpenService {
    opened.withLock { $0.append(request) }
    if let failure { throw failure }
    served.withLock { $0.append(plan) }
    return OpenService(
      run: { $0() }, stop: { _ in }, close: { self.closed.withLock { $0 += 1 } })
  }

  var requests: [DoorRequest] { opened.withLock { $0 } }
  var closeCount: Int { closed.withLock { $0 } }
}
