public import Jobs
public import Qcow2
public import SnapshotJobs

/// What commands ask of images. The one implementation outside of tests is ``StoredImages``.
///
/// Calls block for as long as the storage takes.
public protocol MachineImages: Sendable {
  /// Looks at a node's image without locking it.
  func describe(_ node: Node) -> NodeDescription

  /// A machine's snapshots, oldest first; nil for all nodes.
  func snapshots(of machine: Machine, on devices: [String]?) throws(JobError) -> [SnapshotListing]

  /// The work of a snapshot job; nothing is opened yet.
  func work(_ request: SnapshotRequest, on machine: Machine) -> any JobWork

  /// What a request would do to each disk; reads only.
  func plan(_ request: SnapshotRequest, on machine: Machine) throws(JobError) -> [NodePlan]

  /// The bytes that a load would lose.
  func bytesAtRisk(_ request: SnapshotRequest, on machine: Machine) throws(JobError) -> Int64

  /// Creates an empty image; refuses a path that something has already.
  func create(_ path: String, _ options: CreateOptions) throws(JobError)

  /// Removes an image that a job has created and that nobody has used.
  func remove(_ path: String) throws(JobError)

  /// Checks an image as `qemu-img check` does.
  func check(_ path: String) throws(JobError) -> ImageCheckReport

  /// The name of the reader that ``verify(_:)`` compares ours with.
  var secondReaderName: String { get }

  /// Compares what two readers find in an image's active state.
  func verify(_ path: String) throws(JobError) -> VerifyReport
}

/// What a check of one image found (`ImageCheck` of qapi/block-core.json).
public struct ImageCheckReport: Sendable, Hashable {
  /// Errors that kept the check from looking at everything.
  public var checkErrors: Int64 = 0
  /// Errors that can lose data.
  public var corruptions: Int64 = 0
  /// Clusters that are counted as used and are not.
  public var leaks: Int64 = 0
  /// Clusters of the disk.
  public var totalClusters: Int64 = 0
  /// Clusters that have data.
  public var allocatedClusters: Int64 = 0
  /// Clusters that do not follow their predecessor in the file.
  public var fragmentedClusters: Int64 = 0
  /// Clusters that are compressed.
  public var compressedClusters: Int64 = 0
  /// Where the last cluster in use ends, in bytes; nil if that is not known.
  public var imageEndOffset: Int64?
  /// A sentence for each finding.
  public var messages: [String] = []

  /// Makes a report without findings.
  public init() {}

  /// qemu-img's exit code: 1 could not check, 2 corrupt, 3 leaks, 0 clean.
  public var exitCode: Int32 {
    if corruptions > 0 { return 2 }
    if checkErrors > 0 { return 1 }
    return leaks > 0 ? 3 : 0
  }
}
