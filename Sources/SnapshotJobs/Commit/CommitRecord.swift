public import Jobs
public import Qcow2

/// What makes a change of one or several images permanent: once it is durable, the change happens.
public struct CommitRecord: Sendable, Hashable {
  /// Written into every image.
  public let id: CommitID
  /// The jobs that it concludes, in the order of their transaction.
  public let jobs: [JobID]
  /// Whether a recovery may undo or complete it where it stands (rule 6), or neither.
  public let nature: CommitNature
  /// When it was written.
  public let created: Timestamp
  /// The images.
  public let images: [ImageCommit]

  /// Makes a record.
  public init(
    id: CommitID, jobs: [JobID], nature: CommitNature, created: Timestamp, images: [ImageCommit]
  ) {
    self.id = id
    self.jobs = jobs
    self.nature = nature
    self.created = created
    self.images = images
  }
}

/// What a commit does to the guest's disks; recovery rule 6 and the fence depend on it.
public enum CommitNature: Sendable, Hashable, Codable {
  /// Adds snapshots of this tag and does nothing else.
  case plainSave(tag: String)
  /// Removes snapshots of these tags and does nothing else.
  case plainDelete(tags: [String])
  /// Marks images for a device state that goes with them from then on, and does nothing else.
  case deviceState
  /// Anything else: what the guest sees changes, or several things happen at once.
  case other
}

/// One image of a commit.
public struct ImageCommit: Sendable, Hashable {
  /// The node's name when the record was written; a label for messages.
  public let node: String
  /// The absolute path.
  public let path: String
  /// The file within this boot.
  public let identity: FileIdentity
  /// The kernel's boot id when the record was written.
  public let bootID: String
  /// 2 or 3.
  public let version: UInt32
  /// The first 512 bytes as marked in prepare.
  public let before: [UInt8]
  /// The first 512 bytes as published.
  public let after: [UInt8]
  /// Length and times after prepare's fsync; version 2 images have no other sign of a foreign write.
  public let stamp: FileStamp
  /// The device state that the guest's data go with from this commit on; nil for none. Written with the
  /// record; a record that is read back has none.
  public let deviceState: DeviceStateNote?

  /// The id that the image carries once it is published.
  public var id: CommitID? { FirstSector(onDisk: after).marks?.last }
}

extension ImageCommit {
  /// Whether an open image is the one meant: by its path, or within one boot by the file.
  func names(_ image: Image) -> Bool {
    if path == image.path || (identity == image.identity && bootID == Boot.id) { return true }
    // The file under another name: the marks tell, also after a restart.
    let marks = image.marks
    return (marks.pending != nil && marks.pending == FirstSector(onDisk: before).marks?.pending)
      || (marks.last != nil && marks.last == FirstSector(onDisk: after).marks?.last)
  }

  /// Makes a description of one image.
  public init(
    node: String, path: String, identity: FileIdentity, bootID: String, version: UInt32,
    stamp: FileStamp, before: [UInt8], after: [UInt8], deviceState: DeviceStateNote? = nil
  ) {
    self.node = node
    self.path = path
    self.identity = identity
    self.bootID = bootID
    self.version = version
    self.before = before
    self.after = after
    self.stamp = stamp
    self.deviceState = deviceState
  }
}
