import Dispatch
import Jobs
import QMP
import Synchronization

/// Where an asynchronous body leaves its outcome for the thread that waits.
private final class Outcome<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, JobError>?>(nil)
  private let done = DispatchSemaphore(value: 0)

  func settle(_ value: Result<Value, JobError>) {
    result.withLock { $0 = value }
    done.signal()
  }

  func wait() throws(JobError) -> Value {
    done.wait()
    guard let result = result.withLock({ $0 }) else { throw .operationCanceled }
    return try result.get()
  }
}

/// Runs something asynchronous for a caller that has a thread of its own, which it blocks meanwhile; never
/// called on Swift's own threads.
func waiting<Value: Sendable>(
  for body: @escaping @Sendable () async throws -> Value
) throws(JobError) -> Value {
  let outcome = Outcome<Value>()
  Task.detached {
    do {
      outcome.settle(.success(try await body()))
    } catch {
      outcome.settle(.failure(JobError(monitor: error)))
    }
  }
  return try outcome.wait()
}

extension JobError {
  /// What went wrong with a monitor as a job reports it. QEMU names no kinds: what it says is general.
  init(monitor error: any Error) {
    switch error {
    case let error as JobError: self = error
    case let error as QMPError:
      self.init(error.kind.flatMap(FailureKind.init) ?? .general, error.desc)
    default: self.init(.general, "\(error)")
    }
  }
}
