import DeviceState
import FoundationEssentials
import Jobs
import Monitor
import Synchronization

@testable import Qcow2
@testable import SnapshotJobs

/// Images in memory: files that are only names, and jobs that do what a test says.
final class MemoryImages: MachineImages {
  struct State {
    /// The paths that exist.
    var files: Set<String> = []
    var requests: [SnapshotRequest] = []
    var transfers: [BitmapTransferRequest] = []
    var stateRequests: [DeviceStateRequest] = []
    var listings: [SnapshotListing] = []
    var listingsWithSpace: [SnapshotListing] = []
    var checks: [String: Result<CheckReport, Qcow2Error>] = [:]
    /// The scope of the last repair of each path.
    var repairs: [String: RepairScope] = [:]
    var verifications: [String: Result<VerifyReport, JobError>] = [:]
    var verifiedTags: [String?] = []
    /// The bitmaps of each path.
    var bitmaps: [String: [BitmapDescription]] = [:]
    /// What stored device states consist of.
    var inspections: [StateReference: StateInspection] = [:]
    /// How stored device states differ, by the older one.
    var comparisons: [StateReference: StreamComparison] = [:]
    /// What became of device snapshots: `take disk0 a`, then `commit` or `undo`.
    var changes: [String] = []
    /// The failure of each commit of device snapshots.
    var commitFailure: JobError?
    /// What the work of snapshot jobs does.
    var body: @Sendable (JobControl) throws -> Void = { _ in }
  }

  private let state = Mutex(State())
  var secondReaderName: String { "toyreader 1" }

  /// What snapshot commands asked for, in order.
  var requests: [SnapshotRequest] { state.withLock { state in state.requests } }

  /// What transfers of bitmaps asked for, in order.
  var transfers: [BitmapTransferRequest] { state.withLock { state in state.transfers } }

  /// What commands on device state asked for, in order.
  var stateRequests: [DeviceStateRequest] { state.withLock { state in state.stateRequests } }

  /// The tags that were to be verified, in order; nil for all states.
  var verifiedTags: [String?] { state.withLock { state in state.verifiedTags } }

  /// What became of device snapshots, in order.
  var changes: [String] { state.withLock { state in state.changes } }

  /// The paths that exist.
  var files: Set<String> { state.withLock { state in state.files } }

  /// The scope of the last repair of each path.
  var repairs: [String: RepairScope] { state.withLock { state in state.repairs } }

  /// Sets what images are like.
  func set(_ change: @Sendable (inout State) -> Void) { state.withLock { change(&$0) } }

  /// Sets what the work of snapshot jobs does from now on.
  func work(by body: @escaping @Sendable (JobControl) throws -> Void) {
    state.withLock { state in state.body = body }
  }

  func add(_ paths: String...) { state.withLock { state in state.files.formUnion(paths) } }

  func describe(_ node: Node) -> NodeDescription {
    guard state.withLock({ $0.files.contains(node.path) }) else {
      return NodeDescription(
        node: node, image: nil, problem: JobError(.notFound, "\(node.path): no such file"),
        holder: nil)
    }
    let snapshot = Snapshot(
      id: "1", name: "first", nameBytes: Array("first".utf8), dateSeconds: 1_700_000_000,
      dateNanoseconds: 5,
      vmClockNanoseconds: 3_000_000_007, vmStateSize: 12, diskSize: 65_536, icount: nil)
    let image = ImageSummary(
      version: 3, clusterSize: 65_536, virtualSize: 65_536, actualSize: 4_096, isDirty: false,
      isCorrupt: false, hasLazyRefcounts: false, hasExtendedL2: false, compressionType: "zlib",
      refcountBits: 16, backingFile: nil, backingFormat: nil, isEncrypted: false,
      snapshots: [snapshot], bitmaps: [])
    return NodeDescription(node: node, image: image, problem: nil, holder: nil)
  }

  func survey(
    of machine: Machine, on devices: [String]?, withSpace: Bool
  ) throws(JobError) -> ListedSnapshots {
    state.withLock { state in
      ListedSnapshots(
        listings: withSpace ? state.listingsWithSpace : state.listings, failures: [])
    }
  }

  func differences(
    on machine: Machine, from old: String, to new: String?, devices: [String]?,
    progress: InspectionProgress
  ) throws(JobError) -> [DiskDifferences] {
    guard old == "a" else { throw JobError(.notFound, "Snapshot '\(old)' does not exist") }
    return try (devices ?? ["disk0"]).map { name throws(JobError) in
      DiskDifferences(node: try NodeName(name), ranges: new == nil ? [0..<512, 1024..<1536] : [])
    }
  }

  func work(_ request: SnapshotRequest, on machine: Machine) -> any JobWork {
    let body = state.withLock { state in
      state.requests.append(request)
      return state.body
    }
    return MemoryWork(body: body)
  }

  func work(_ request: DeviceStateRequest, on machine: Machine) -> any JobWork {
    let body = state.withLock { state in
      state.stateRequests.append(request)
      return state.body
    }
    return MemoryWork(body: body)
  }

  func work(
    _ request: BitmapTransferRequest, on machine: Machine,
    through open: @escaping BitmapTransferChannel,
    onStage: @escaping @Sendable (BitmapTransferStage) -> Void
  ) -> any JobWork {
    let body = state.withLock { state in
      state.transfers.append(request)
      return state.body
    }
    return MemoryWork { control in
      _ = try open(control)
      onStage(.connected)
      if request.pausesBeforeSwitchover {
        onStage(.pausedBeforeSwitchover)
        try control.becomeReady()
        try control.awaitCompletion()
        onStage(.switchover)
      }
      try body(control)
    }
  }

  func prepare(
    _ request: SnapshotRequest, on machine: Machine
  ) throws(JobError) -> any PreparedChange {
    state.withLock { state in state.requests.append(request) }
    return MemoryChange(images: self)
  }

  func prepare(
    _ actions: [ImageAction], on machine: Machine
  ) throws(JobError) -> any PreparedChange {
    for action in actions {
      guard machine.node(action.node) != nil else {
        throw JobError(.notFound, "no device \(action.node)")
      }
      switch action {
      case .snapshot(let action): note("\(action)")
      case .bitmap(let action): note("\(action)")
      }
    }
    return MemoryChange(images: self)
  }

  /// What a path's bitmaps are to be.
  func setBitmaps(_ bitmaps: [BitmapDescription], of path: String) {
    state.withLock { $0.bitmaps[path] = bitmaps }
  }

  func rehearse(_ actions: [BitmapAction], on machine: Machine) throws(JobError) {
    for action in actions where action.name == "none" {
      throw JobError(.notFound, "no bitmap \(action.name)")
    }
  }

  func bitmaps(of node: Node) throws(JobError) -> [BitmapDescription] {
    state.withLock { $0.bitmaps[node.path] ?? [] }
  }

  func dirtyRanges(
    ofBitmap name: String, on node: Node
  ) throws(JobError) -> [Range<UInt64>] { [0..<65536, 131_072..<196_608] }

  func bitmapDigest(named name: String, of node: Node) throws(JobError) -> String { "d\(name)" }

  fileprivate func note(_ change: String) {
    state.withLock { state in state.changes.append(change) }
  }

  fileprivate func commitChange() throws(JobError) {
    note("commit")
    if let failure = state.withLock({ $0.commitFailure }) { throw failure }
  }

  func plan(_ request: SnapshotRequest, on machine: Machine) throws(JobError) -> [NodePlan] {
    state.withLock { state in state.requests.append(request) }
    return request.devices.map {
      NodePlan(node: $0, path: "/\($0)", action: "nothing", bytesToWrite: 512, bytesToFree: 64)
    }
  }

  func bytesAtRisk(_ request: SnapshotRequest, on machine: Machine) throws(JobError) -> Int64 {
    Int64(request.devices.count) * 1024
  }

  func create(_ path: String, _ options: CreateOptions) throws(JobError) {
    try state.withLock { state throws(JobError) in
      guard state.files.insert(path).inserted else {
        throw JobError(.conflict, "\(path): File exists")
      }
    }
  }

  func remove(_ path: String) throws(JobError) {
    state.withLock { state in _ = state.files.remove(path) }
  }

  func check(
    _ path: String, repair: RepairScope?, progress: InspectionProgress
  ) throws(Qcow2Error) -> CheckReport {
    try state.withLock { state in
      if let repair { state.repairs[path] = repair }
      return state.checks[path] ?? .success(CheckReport())
    }.get()
  }

  func verify(
    _ path: String, tag: String?, withDigests: Bool, progress: InspectionProgress
  ) throws(JobError) -> VerifyReport {
    try state.withLock { state in
      state.verifiedTags.append(tag)
      return state.verifications[path] ?? .success(VerifyReport(path: path))
    }.get()
  }

  func inspect(
    _ reference: StateReference, on machine: Machine, fieldsOf device: String?
  ) throws(JobError) -> StateInspection {
    guard let found = state.withLock({ $0.inspections[reference] }) else {
      throw JobError(.notFound, "\(reference): no such state")
    }
    return device == nil ? StateInspection(summary: found.summary, fields: []) : found
  }

  func compare(
    _ old: StateReference, _ new: StateReference, on machine: Machine
  ) throws(JobError) -> StreamComparison {
    guard let found = state.withLock({ $0.comparisons[old] }) else {
      throw JobError(.notFound, "\(old): no such state")
    }
    return found
  }
}

/// A change of nothing.
private struct MemoryChange: PreparedChange {
  let images: MemoryImages
  let removed = [
    Snapshot(
      id: "1", name: "first", nameBytes: Array("first".utf8), dateSeconds: 1, dateNanoseconds: 2,
      vmClockNanoseconds: 0, vmStateSize: 0, diskSize: 512, icount: nil)
  ]

  func commit() throws(JobError) { try images.commitChange() }
  func undo() throws(JobError) { images.note("undo") }
}

/// A job on nothing.
private struct MemoryWork: JobWork {
  let body: @Sendable (JobControl) throws -> Void

  func prepare(_ control: JobControl) throws -> any PreparedWork {
    try body(control)
    return MemoryPrepared()
  }
}

private struct MemoryPrepared: PreparedWork {
  func undo() throws {}
  func finish() throws -> String? {
    let result = SnapshotResult(bytesWritten: 7, bytesFreed: 3, remarks: ["a remark"])
    return String(decoding: try JSONEncoder().encode(result), as: UTF8.self)
  }
  func abandon() {}
}

/// A committer with nothing to publish.
struct MemoryCommitter: Committer {
  func announce(
    _ members: [CommitMember], waits: Bool
  ) throws(JobError) -> any AnnouncedCommit { MemoryCommit() }
}

/// A commit that always succeeds.
private struct MemoryCommit: AnnouncedCommit {
  func commit() -> CommitOutcome { .committed }
  func cancel() {}
}
