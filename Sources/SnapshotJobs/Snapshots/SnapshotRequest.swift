internal import Jobs

/// What a snapshot job is asked to do; kept as the job's `arguments`.
///
/// The corresponding QMP commands are `snapshot-save`, `snapshot-load` and `snapshot-delete` with
/// snapjob's optional `x-…` members.
public struct SnapshotRequest: Sendable, Hashable, Codable {
  /// The three kinds of snapshot job; the raw value is the job's type.
  public enum Operation: String, Sendable, Hashable, Codable, CaseIterable {
    /// Take a snapshot on every device.
    case save = "snapshot-save"
    /// Go back to a snapshot on every device.
    case load = "snapshot-load"
    /// Remove a snapshot wherever it is on the devices.
    case delete = "snapshot-delete"
  }

  /// What to do.
  public var operation: Operation
  /// The snapshot's name.
  public var tag: String
  /// load and delete: the snapshot's id in the image of the one device, where no tag can be given: of a name that is
  /// empty, no text, or another snapshot's as well. The tag is empty then; nil to go by the tag.
  public var snapshotID: String?
  /// Node names, as the client gave them; checked by the job.
  public var devices: [String]
  /// The node that keeps device state; nil only for delete.
  public var vmstate: String?
  /// save: leave device state out.
  public var diskOnly = false
  /// save: device state that cannot be saved is an error, and no remark; nil where that was not kept.
  public var requiresState: Bool?
  /// save: a tag that is complete on all devices is success.
  public var existOK = false
  /// save: take out an old snapshot of this tag in the same commit.
  public var replace = false
  /// load: save the present state under this tag in the same commit.
  public var saveCurrent: String?
  /// save: what a running machine leaves that dies is left as it is; nil where that was not kept.
  public var noHeal: Bool?
  /// The job's name in a running machine's QEMU; nil for a made-up one.
  public var liveJobID: String?
  /// Whether the job is one of a group that is committed together; nil where that was not kept.
  public var isGrouped: Bool?
  /// load: a running machine that refuses stays stopped; nil where that was not kept.
  public var noResume: Bool?
  /// load: dirty bitmaps on a disk are a reason to refuse, as in QEMU; nil where that was not kept.
  public var strictBitmaps: Bool?
  /// Changes of bitmaps on the devices that come before the job's own and are committed with it; nil for none.
  public var earlierBitmapActions: [BitmapAction]?
  /// Changes of bitmaps on the devices that come after the job's own and are committed with it; nil for none.
  public var laterBitmapActions: [BitmapAction]?
  /// Whether it is what is left of a job that was interrupted, on some of its devices; nil for a whole job.
  public var isPartOfJob: Bool?
  /// delete: more tags for the same commit.
  public var moreTags: [String] = []
  /// delete: a tag that is on no device is an error (QEMU calls that success).
  public var mustExist = false

  /// Makes a request; the optional members keep their defaults.
  public init(operation: Operation, tag: String, devices: [String], vmstate: String?) {
    self.operation = operation
    self.tag = tag
    self.devices = devices
    self.vmstate = vmstate
  }
}

extension SnapshotRequest {
  /// The snapshot in the words of a message: its tag in quotes, or its id.
  var snapshotText: String { snapshotID.map { "of id \($0)" } ?? "'\(tag)'" }

  /// The tag of the snapshot that this request makes; nil if it makes none.
  public var savedTag: String? {
    switch operation {
    case .save: tag
    case .load: saveCurrent
    case .delete: nil
    }
  }

  /// The changes of bitmaps that are committed with the job, on the devices that it still has.
  var bitmapActions: (earlier: [BitmapAction], later: [BitmapAction]) {
    let here = { (actions: [BitmapAction]?) in
      (actions ?? []).filter { devices.contains($0.node) }
    }
    return (here(earlierBitmapActions), here(laterBitmapActions))
  }

  /// Refuses changes of bitmaps on nodes that the job does not have.
  ///
  /// A part of a job that recovery completes has fewer devices than it was asked for; what belongs to the others
  /// is done there already.
  func checkBitmapActions() throws(JobError) {
    guard isPartOfJob != true else { return }
    for action in (earlierBitmapActions ?? []) + (laterBitmapActions ?? [])
    where !devices.contains(action.node) {
      throw JobError(
        .usage,
        "Bitmap '\(action.name)' is on '\(action.node)', which is no device of the job")
    }
  }

  /// The nodes whose bitmaps are only read.
  var bitmapSources: [String] {
    (bitmapActions.earlier + bitmapActions.later).flatMap(\.sourceNodes)
  }
}

/// What a snapshot job did; kept as the job's `result`.
public struct SnapshotResult: Sendable, Hashable, Codable {
  /// Bytes written into images.
  public var bytesWritten: Int64
  /// Bytes given back to the filesystem.
  public var bytesFreed: Int64
  /// The nodes whose images changed; nil where that was not kept.
  public var changedNodes: [String]?
  /// The snapshots that the job took; nil where that was not kept.
  public var takenSnapshots: [TakenSnapshot]?
  /// delete: the tags that were on at least one node; nil where that was not kept.
  public var deletedTags: [String]?
  /// The bitmaps that were sent or received; nil for jobs that do neither.
  public var bitmaps: [TransferredBitmap]?
  /// Standstill of a live guest, in nanoseconds; nil for stored machines.
  public var pauseNanoseconds: Int64?
  /// Sentences for the user: a note about RAM state and the like.
  public var remarks: [String]

  /// Makes a result.
  public init(
    bytesWritten: Int64, bytesFreed: Int64, changedNodes: [String]? = nil,
    takenSnapshots: [TakenSnapshot]? = nil, deletedTags: [String]? = nil,
    pauseNanoseconds: Int64? = nil, remarks: [String] = []
  ) {
    self.bytesWritten = bytesWritten
    self.bytesFreed = bytesFreed
    self.changedNodes = changedNodes
    self.takenSnapshots = takenSnapshots
    self.deletedTags = deletedTags
    self.pauseNanoseconds = pauseNanoseconds
    self.remarks = remarks
  }
}
