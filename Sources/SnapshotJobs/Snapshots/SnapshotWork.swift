public import Jobs

/// What snapshot jobs need from outside: how long to wait for a held image, and the commit records.
public struct ImageAccess: Sendable {
  /// The commit records.
  public let log: any CommitLog
  /// How long to wait for an image that another program holds.
  public let lockPatience: Duration
  /// Told the holder's description once while waiting.
  public let onWait: @Sendable (String) -> Void

  /// Makes an access.
  public init(
    log: any CommitLog, lockPatience: Duration = .zero,
    onWait: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.log = log
    self.lockPatience = lockPatience
    self.onWait = onWait
  }
}

/// A snapshot job: save, load or delete on a machine's images.
public struct SnapshotWork: JobWork {
  private let request: SnapshotRequest
  private let machine: Machine
  private let access: ImageAccess

  /// Makes the work of one job; nothing is opened yet.
  public init(_ request: SnapshotRequest, machine: Machine, access: ImageAccess) {
    self.request = request
    self.machine = machine
    self.access = access
  }

  /// Opens and locks the images, checks everything, and prepares each for its new first sector.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    throw JobError(.general, "not built")
  }
}

/// What a request would do to one disk (`--dry-run`).
public struct NodePlan: Sendable, Hashable, Codable {
  /// The node.
  public let node: String
  /// The file.
  public let path: String
  /// What would happen, as a sentence.
  public let action: String
  /// Bytes that would be written.
  public let bytesToWrite: Int64
}

extension SnapshotRequest {
  /// What this request would do to each disk, with all the checks of the real job; reads only.
  public func plan(on machine: Machine) throws(JobError) -> [NodePlan] {
    throw JobError(.general, "not built")
  }

  /// For a load: the bytes in active clusters that are in no snapshot, over all devices; they are
  /// lost by the load.
  public func bytesAtRisk(on machine: Machine) throws(JobError) -> Int64 {
    throw JobError(.general, "not built")
  }
}
