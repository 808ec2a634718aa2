public import Qcow2

/// Tells device states of stored machines apart: random, and the same on all images that go with one.
public struct DeviceStateID: Sendable, Hashable, CustomStringConvertible {
  /// 32 hexadecimal digits.
  public let description: String

  /// A fresh id.
  public init() { description = CommitID().description }

  /// An id as the catalog has kept it.
  public init(_ description: String) { self.description = description }
}

/// One snapshot of an image and no other: an id is given again once its snapshot is gone, so it alone does not do.
public struct SnapshotIdentity: Sendable, Hashable {
  /// The id in the image's table.
  public let id: String
  /// When it was taken, in seconds since the epoch.
  public let dateSeconds: UInt32
  /// Nanoseconds of that second.
  public let dateNanoseconds: UInt32
  /// Bytes of VM state in it.
  public let vmStateSize: UInt64

  /// Makes an identity from what the catalog has kept.
  public init(id: String, dateSeconds: UInt32, dateNanoseconds: UInt32, vmStateSize: UInt64) {
    self.id = id
    self.dateSeconds = dateSeconds
    self.dateNanoseconds = dateNanoseconds
    self.vmStateSize = vmStateSize
  }

  /// The identity of a snapshot.
  init(_ snapshot: Snapshot) {
    self.init(
      id: snapshot.id, dateSeconds: snapshot.dateSeconds,
      dateNanoseconds: snapshot.dateNanoseconds, vmStateSize: snapshot.vmStateSize)
  }

  /// The position of the snapshot among others; nil if it is not there, or cannot be told from another.
  func position(in snapshots: [Snapshot]) -> Int? {
    let found = snapshots.indices.filter { SnapshotIdentity(snapshots[$0]) == self }
    return found.count == 1 ? found[0] : nil
  }
}

/// What the catalog notes of an image at one commit: what has to be so for the guest's data on it to go with a
/// device state.
///
/// It is kept under the id of the commit that the image's first sector carries. So it need not be undone when a
/// commit is: the image says which of the notes is true.
public struct DeviceStateNote: Sendable, Hashable {
  /// The device state.
  public let state: DeviceStateID
  /// The number of the image among those that the state goes with, from 0.
  public let member: Int
  /// How many images the state goes with.
  public let memberCount: Int
  /// The image's file at that commit.
  public var path: String
  /// The snapshot of this image whose state its active one has to be; nil where length and times of the file
  /// tell.
  public var snapshot: SnapshotIdentity?
  /// Whether ``snapshot`` is the one that keeps the device state.
  public var isKeeper: Bool
  /// The name of the file beside the catalog in which the state waits for the next save; nil where a snapshot
  /// keeps it.
  public var file: String?
  /// Length and time of modification of the image's file since snapjob wrote it, for a state that waits; nil
  /// where that is not known.
  public var stamp: FileStamp?

  /// Makes a note.
  public init(
    state: DeviceStateID, member: Int, of memberCount: Int, path: String,
    snapshot: SnapshotIdentity? = nil, isKeeper: Bool = false, file: String? = nil,
    stamp: FileStamp? = nil
  ) {
    self.state = state
    self.member = member
    self.memberCount = memberCount
    self.path = path
    self.snapshot = snapshot
    self.isKeeper = isKeeper
    self.file = file
    self.stamp = stamp
  }
}

/// What the catalog notes of the images of one commit.
public struct CommitNotes: Sendable, Hashable {
  /// The notes of the images that go with a device state.
  public var notes: [DeviceStateNote] = []
  /// The files of the others.
  public var pathsWithoutState: [String] = []

  /// Makes an empty one.
  public init() {}
}

/// What the file of an image looks like after a write of snapjob's own, for the note of a state that waits.
public struct StagedStateStamp: Sendable, Hashable {
  /// The commit whose note it is.
  public let commit: CommitID
  /// The image's file, as the note has it.
  public let path: String
  /// What the note says until now; nil for nothing. Where it says something else, it stays.
  public let old: FileStamp?
  /// What it says from now on.
  public let new: FileStamp

  /// Makes one.
  public init(commit: CommitID, path: String, old: FileStamp?, new: FileStamp) {
    self.commit = commit
    self.path = path
    self.old = old
    self.new = new
  }
}
