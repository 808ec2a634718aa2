import Glibc
import SnapshotJobs
import TestOracles

/// What another program does between a crash and the recovery.
enum ForeignAct: String, Sendable, CaseIterable {
  /// A guest writes.
  case vmWrites
  /// An overlay of the disk is committed into it.
  case overlayCommitted
  /// `qemu-img check -r all`.
  case repaired
  /// Another catalog saves a snapshot.
  case secondCatalog
  /// The disk is away while recovery runs, and comes back.
  case away
  /// Two disks have changed names while recovery runs.
  case swapped
  /// A copy of the disk is taken, and put back after the recovery.
  case copied
}

/// What others have done, and what must be left of it.
struct ForeignWork: Sendable {
  /// The byte that was written to a disk, by its number.
  var bytes: [Int: UInt8] = [:]
  /// Disks with a snapshot of the second catalog.
  var snapshots: Set<Int> = []
  /// Whether they have written to an image alone whose first sector may be lost although they saw it.
  var isOnLoneSector = false
  /// For the state's key and messages.
  var story: [String] = []
}
