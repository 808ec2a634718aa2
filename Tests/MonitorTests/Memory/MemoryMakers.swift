import Jobs
import SnapshotJobs
import Synchronization

/// What is known of the making of snapshots.
final class MemoryMakers: SnapshotMakers {
  private let known = Mutex<[SnapshotKey: SnapshotMaker]>([:])

  func add(_ key: SnapshotKey, _ maker: SnapshotMaker) {
    known.withLock { known in known[key] = maker }
  }

  func makers(
    of snapshots: Set<SnapshotKey>
  ) throws(JobError) -> [SnapshotKey: SnapshotMaker] {
    known.withLock { known in known.filter { snapshots.contains($0.key) } }
  }
}
