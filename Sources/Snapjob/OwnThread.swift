import Dispatch
import Jobs
import Monitor
import QMP

/// Runs something that blocks on a thread of its own, never on Swift's few.
func onThread<Value: Sendable>(
  _ body: @escaping @Sendable () throws(JobError) -> Value
) async throws(QMPError) -> Value {
  let outcome: Result<Value, JobError> = await withCheckedContinuation { continuation in
    DispatchQueue(label: "snapjob.engine").async {
      continuation.resume(returning: Result { () throws(JobError) in try body() })
    }
  }
  return try outcome.mapError { QMPError($0) }.get()
}
