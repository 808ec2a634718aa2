public import DeviceState
public import Jobs
public import Qcow2
public import SnapshotJobs

/// What commands ask of images. The one implementation outside of tests is ``StoredImages``.
///
/// Calls block for as long as the storage takes.
public protocol MachineImages: Sendable {
  /// Looks at a node's image without locking it.
  func describe(_ node: Node) -> NodeDescription

  /// A machine's snapshots, oldest first, as far as its images can be read; nil for all nodes that are not
  /// excluded. The room that each takes costs a pass over all tables.
  func survey(
    of machine: Machine, on devices: [String]?, withSpace: Bool
  ) throws(JobError) -> ListedSnapshots

  /// Where disks may differ between two tags, or a tag and the active state; nil for the covered nodes.
  func differences(
    on machine: Machine, from old: String, to new: String?, devices: [String]?,
    progress: InspectionProgress
  ) throws(JobError) -> [DiskDifferences]

  /// The work of a snapshot job; nothing is opened yet.
  func work(_ request: SnapshotRequest, on machine: Machine) -> any JobWork

  /// The work of a transfer of bitmaps; nothing is opened yet.
  func work(
    _ request: BitmapTransferRequest, on machine: Machine,
    through open: @escaping BitmapTransferChannel,
    onStage: @escaping @Sendable (BitmapTransferStage) -> Void
  ) -> any JobWork

  /// The work of a job on device state; nothing is opened yet.
  func work(_ request: DeviceStateRequest, on machine: Machine) -> any JobWork

  /// Prepares what a snapshot job would do; nothing is permanent yet.
  func prepare(
    _ request: SnapshotRequest, on machine: Machine
  ) throws(JobError) -> any PreparedChange

  /// Prepares snapshots of single devices and changes of bitmaps; nothing is permanent yet.
  func prepare(
    _ actions: [ImageAction], on machine: Machine
  ) throws(JobError) -> any PreparedChange

  /// Tries changes of bitmaps without making them; see `Machine.rehearse`.
  func rehearse(_ actions: [BitmapAction], on machine: Machine) throws(JobError)

  /// A node's bitmaps, looked at without locking the image.
  func bitmaps(of node: Node) throws(JobError) -> [BitmapDescription]

  /// The dirty ranges of a bitmap, in bytes.
  func dirtyRanges(ofBitmap name: String, on node: Node) throws(JobError) -> [Range<UInt64>]

  /// The SHA-256 of a bitmap's bits.
  func bitmapDigest(named name: String, of node: Node) throws(JobError) -> String

  /// What a request would do to each disk; reads only.
  func plan(_ request: SnapshotRequest, on machine: Machine) throws(JobError) -> [NodePlan]

  /// The bytes that a load would lose.
  func bytesAtRisk(_ request: SnapshotRequest, on machine: Machine) throws(JobError) -> Int64

  /// Creates an empty image; refuses a path that something has already.
  func create(_ path: String, _ options: CreateOptions) throws(JobError)

  /// Removes an image that a job has created and that nobody has used.
  func remove(_ path: String) throws(JobError)

  /// Checks an image as `qemu-img check` does, and repairs it first if that is asked for.
  ///
  /// - Throws: `Qcow2Error` if the image cannot be checked or repaired; it is as it was then.
  func check(
    _ path: String, repair: RepairScope?, progress: InspectionProgress
  ) throws(Qcow2Error) -> CheckReport

  /// The name of the reader that ``verify(_:tag:withDigests:progress:)`` compares ours with.
  var secondReaderName: String { get }

  /// Reads an image's states to their ends, or only the snapshots of a tag, and compares what two
  /// readers find in the active one. The states' digests take as long as the disk is large.
  func verify(
    _ path: String, tag: String?, withDigests: Bool, progress: InspectionProgress
  ) throws(JobError) -> VerifyReport

  /// Tells what a stored device state consists of, and the fields of one device.
  func inspect(
    _ state: StateReference, on machine: Machine, fieldsOf device: String?
  ) throws(JobError) -> StateInspection

  /// Tells how the devices of two stored states differ.
  func compare(
    _ old: StateReference, _ new: StateReference, on machine: Machine
  ) throws(JobError) -> StreamComparison
}

extension MachineImages {
  /// A machine's snapshots, oldest first.
  ///
  /// - Throws: `JobError`: why the first image that cannot be read cannot.
  func snapshots(
    of machine: Machine, on devices: [String]?, withSpace: Bool
  ) throws(JobError) -> [SnapshotListing] {
    let survey = try survey(of: machine, on: devices, withSpace: withSpace)
    if let failure = survey.failures.first { throw failure.error }
    return survey.listings
  }
}
