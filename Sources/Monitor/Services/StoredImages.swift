public import DeviceState
public import Jobs
public import Qcow2
public import SnapshotJobs

/// The images themselves, by way of `SnapshotJobs` and `Qcow2`.
public struct StoredImages: MachineImages {
  private let access: ImageAccess
  private let secondReader: any SecondReader
  private let live: any LiveMachines

  /// Makes the way to images.
  ///
  /// - Parameters:
  ///   - access: commit records, and the patience with images that other programs hold.
  ///   - secondReader: what `verify` compares our own reader with.
  ///   - live: the way to machines that run, whose images are QEMU's to change.
  public init(
    access: ImageAccess, secondReader: any SecondReader,
    live: any LiveMachines = NoLiveMachines()
  ) {
    self.access = access
    self.secondReader = secondReader
    self.live = live
  }

  /// Looks at a node's image without locking it.
  public func describe(_ node: Node) -> NodeDescription { node.describe() }

  /// A machine's snapshots, oldest first, as far as its images can be read.
  public func survey(
    of machine: Machine, on devices: [String]?, withSpace: Bool
  ) throws(JobError) -> ListedSnapshots {
    var survey = try machine.surveySnapshots(on: devices, withSpace: withSpace)
    survey.failures = survey.failures.map { failure in
      var failure = failure
      failure.error = explained(failure.error, on: [failure.node.path])
      return failure
    }
    return survey
  }

  /// Where disks may differ between two points in time.
  public func differences(
    on machine: Machine, from old: String, to new: String?, devices: [String]?,
    progress: InspectionProgress
  ) throws(JobError) -> [DiskDifferences] {
    try explaining(machine) { () throws(JobError) in
      try machine.differences(from: old, to: new, on: devices, progress: progress)
    }
  }

  /// Reads; a commit that is not finished is told as every command tells it.
  private func explaining<Value>(
    _ machine: Machine, _ body: () throws(JobError) -> Value
  ) throws(JobError) -> Value {
    do throws(JobError) {
      return try body()
    } catch {
      throw explained(error, on: machine.nodes.map(\.path))
    }
  }

  private func explained(_ error: JobError, on paths: [String]) -> JobError {
    guard error.kind == .conflict else { return error }
    return access.pendingCommit(on: paths) ?? error
  }

  /// The work of a snapshot job.
  public func work(_ request: SnapshotRequest, on machine: Machine) -> any JobWork {
    guard let address = machine.monitor else {
      return SnapshotWork(request, machine: machine, access: access)
    }
    return live.work(request, on: machine, at: address, access: access)
  }

  /// The work of a transfer of bitmaps.
  public func work(
    _ request: BitmapTransferRequest, on machine: Machine,
    through open: @escaping BitmapTransferChannel,
    onStage: @escaping @Sendable (BitmapTransferStage) -> Void
  ) -> any JobWork {
    switch request.direction {
    case .send:
      BitmapSending(request, machine: machine, access: access, open: open, onStage: onStage)
    case .receive:
      BitmapReceiving(request, machine: machine, access: access, open: open, onStage: onStage)
    }
  }

  /// The work of a job on device state.
  public func work(_ request: DeviceStateRequest, on machine: Machine) -> any JobWork {
    if let address = machine.monitor {
      return live.work(request, on: machine, at: address, access: access)
    }
    return switch request.operation {
    case .save: DeviceStateSaving(request, machine: machine, access: access)
    case .load: DeviceStateLoading(request, machine: machine, access: access)
    }
  }

  /// Prepares what a snapshot job would do.
  public func prepare(
    _ request: SnapshotRequest, on machine: Machine
  ) throws(JobError) -> any PreparedChange {
    try ImageChange(request, on: machine, access: access)
  }

  /// Prepares snapshots of single devices and changes of bitmaps.
  public func prepare(
    _ actions: [ImageAction], on machine: Machine
  ) throws(JobError) -> any PreparedChange {
    try ImageChange(actions, on: machine, access: access)
  }

  /// Tries changes of bitmaps without making them.
  public func rehearse(_ actions: [BitmapAction], on machine: Machine) throws(JobError) {
    try machine.rehearse(actions)
  }

  /// A node's bitmaps.
  public func bitmaps(of node: Node) throws(JobError) -> [BitmapDescription] { try node.bitmaps() }

  /// The dirty ranges of a bitmap.
  public func dirtyRanges(
    ofBitmap name: String, on node: Node
  ) throws(JobError) -> [Range<UInt64>] { try node.dirtyRanges(ofBitmap: name) }

  /// The SHA-256 of a bitmap's bits.
  public func bitmapDigest(named name: String, of node: Node) throws(JobError) -> String {
    try node.bitmapDigest(named: name)
  }

  /// What a request would do to each disk.
  public func plan(
    _ request: SnapshotRequest, on machine: Machine
  ) throws(JobError) -> [NodePlan] {
    if let address = machine.monitor,
      let plan = try live.plan(request, on: machine, at: address)
    {
      return plan
    }
    return try request.plan(on: machine, access: access)
  }

  /// The bytes that a load would lose.
  public func bytesAtRisk(
    _ request: SnapshotRequest, on machine: Machine
  ) throws(JobError) -> Int64 {
    do throws(JobError) {
      return try request.bytesAtRisk(on: machine, access: access)
    } catch {
      guard error.kind == .inUse, machine.monitor != nil else { throw error }
      return try request.bytesAtRisk(lookingAt: machine)
    }
  }

  /// Creates an empty image.
  public func create(_ path: String, _ options: CreateOptions) throws(JobError) {
    try Self.converting { () throws(Qcow2Error) in
      try Image.create(path, options, access: access.files)
    }
  }

  /// Removes an image.
  public func remove(_ path: String) throws(JobError) {
    try Self.converting { () throws(Qcow2Error) in
      try access.files.remove(path)
      try access.files.synchronizeDirectory(of: path)
    }
  }

  /// Checks an image, and repairs it first if that is asked for.
  public func check(
    _ path: String, repair: RepairScope?, progress: InspectionProgress
  ) throws(Qcow2Error) -> CheckReport {
    if let repair { return try access.repair(path, repair, progress: progress) }
    do {
      return try Image.open(
        path, for: .check, access: access.files, patience: access.lockPatience,
        onWait: access.onWait
      ).check(progress.advance, foresee: progress.foresee)
    } catch let error as Qcow2Error {
      throw error
    } catch {
      throw Qcow2Error(.io, "\(error)", path: path)
    }
  }

  /// The name of the reader that our own is compared with.
  public var secondReaderName: String { secondReader.name }

  /// Verifies an image.
  public func verify(
    _ path: String, tag: String?, withDigests: Bool, progress: InspectionProgress
  ) throws(JobError) -> VerifyReport {
    try Verification.run(
      path: path, tag: tag, second: secondReader, withDigests: withDigests, progress: progress,
      files: access.files,
      patience: access.lockPatience, onWait: access.onWait)
  }

  /// Tells what a stored device state consists of.
  public func inspect(
    _ state: StateReference, on machine: Machine, fieldsOf device: String?
  ) throws(JobError) -> StateInspection {
    try machine.inspect(state, fieldsOf: device, files: access.files)
  }

  /// Tells how the devices of two stored states differ.
  public func compare(
    _ old: StateReference, _ new: StateReference, on machine: Machine
  ) throws(JobError) -> StreamComparison {
    try machine.compare(old, new, files: access.files)
  }

  private static func converting<Value>(
    _ body: () throws(Qcow2Error) -> Value
  ) throws(JobError) -> Value {
    do throws(Qcow2Error) {
      return try body()
    } catch {
      throw JobError(error)
    }
  }
}
