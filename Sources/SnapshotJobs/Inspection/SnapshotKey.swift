public import Jobs
public import Qcow2

/// What tells a snapshot from all others, in whatever image it turns up: copies of an image share it.
public struct SnapshotKey: Sendable, Hashable {
  /// The name, as the image has it.
  public let tag: [UInt8]
  /// The id in its image.
  public let id: String
  /// When it was taken, as the image says: seconds since the epoch.
  public let seconds: Int64
  /// Nanoseconds of that second.
  public let nanoseconds: UInt32

  /// Makes a key.
  public init(tag: [UInt8], id: String, seconds: Int64, nanoseconds: UInt32) {
    self.tag = tag
    self.id = id
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  /// The key of a snapshot of an image.
  public init(_ snapshot: Snapshot) {
    self.init(
      tag: snapshot.nameBytes, id: snapshot.id, seconds: Int64(snapshot.dateSeconds),
      nanoseconds: snapshot.dateNanoseconds)
  }
}

/// Which snapshots an image has.
public struct ImageContent: Sendable, Hashable {
  /// The image's absolute path.
  public let path: String
  /// Which file that is.
  public let identity: FileIdentity
  /// All snapshots in it.
  public let snapshots: Set<SnapshotKey>

  /// Makes a content.
  public init(path: String, identity: FileIdentity, snapshots: Set<SnapshotKey>) {
    self.path = path
    self.identity = identity
    self.snapshots = snapshots
  }
}

/// What is known of the making of a snapshot.
public struct SnapshotMaker: Sendable, Hashable {
  /// Grows with each snapshot that this catalog knows, whatever the clock says.
  public let sequence: Int64
  /// The job; nil where that is not known.
  public let job: JobID?
  /// The job's note.
  public let note: String?

  /// Makes a maker.
  public init(sequence: Int64, job: JobID? = nil, note: String? = nil) {
    self.sequence = sequence
    self.job = job
    self.note = note
  }
}

/// Where it is kept who made which snapshot.
public protocol SnapshotMakers: Sendable {
  /// The makers of snapshots, as far as they were made with this catalog.
  ///
  /// - Throws: `JobError` if the catalog cannot be read.
  func makers(of snapshots: Set<SnapshotKey>) throws(JobError) -> [SnapshotKey: SnapshotMaker]
}
