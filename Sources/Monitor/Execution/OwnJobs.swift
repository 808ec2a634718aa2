import Jobs
import Synchronization

/// The jobs that were started through one monitor.
final class OwnJobs: Sendable {
  private let ids = Mutex(Set<JobID>())

  func contains(_ id: JobID) -> Bool { ids.withLock { ids in ids.contains(id) } }

  /// Notes a job.
  ///
  /// - Returns: whether it was new.
  func insert(_ id: JobID) -> Bool { ids.withLock { ids in ids.insert(id).inserted } }

  func remove(_ id: JobID) { ids.withLock { ids in _ = ids.remove(id) } }
}
