import Dispatch
import Glibc
import Synchronization

@testable import Jobs

/// Runs a body on several threads at once, as a job that works on several images does.
func concurrently(
  _ count: Int, _ body: @escaping @Sendable (Int) throws -> Void
) throws(JobError) {
  let failure = Guarded<JobError?>(nil)
  let group = DispatchGroup()
  for index in 0..<count {
    DispatchQueue(label: "toy \(index)").async(group: group) {
      do {
        try body(index)
      } catch {
        failure.withLock { failure in
          failure = error as? JobError ?? JobError(.general, "\(error)")
        }
      }
    }
  }
  group.wait()
  if let error = failure.withLock({ failure in failure }) { throw error }
}

/// Blocks the thread for a while.
func usleepMilliseconds(_ milliseconds: UInt32) { usleep(milliseconds * 1_000) }

/// A number that several threads count up.
final class Counter: Sendable {
  private let count = Atomic<Int>(0)

  var value: Int { count.load(ordering: .relaxed) }

  func increment() { count.wrappingAdd(1, ordering: .relaxed) }

  func reset() { count.store(0, ordering: .relaxed) }
}
