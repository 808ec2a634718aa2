public import Jobs
public import Qcow2
private import Synchronization

/// What snapshot jobs need from outside: how long to wait for a held image, and the commit records.
public struct ImageAccess: Sendable {
  /// The commit records.
  public let log: any CommitLog
  /// Where the image files come from.
  public let files: any FileAccess
  /// How long to wait for an image that another program holds.
  public let lockPatience: Duration
  /// Told the holder's description once while waiting.
  public let onWait: @Sendable (String) -> Void

  /// Makes an access.
  public init(
    log: any CommitLog, files: any FileAccess = PosixFileAccess(), lockPatience: Duration = .zero,
    onWait: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.log = log
    self.files = files
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
  ///
  /// - Throws: `JobError`; every image is as it was then.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    try prepareImages(control)
  }

  func prepareImages(_ control: JobControl) throws -> PreparedSnapshots {
    try request.checkTags()
    try request.checkBitmapActions()
    let nodes = try NodeSet(request, machine: machine).nodes
    let images = try OpenImages(
      nodes, for: .change, access: access, control: control)
    do {
      let sources = try OpenImages(
        machine.sources(of: request.bitmapSources, besides: nodes), for: .read, access: access,
        control: control)
      defer { sources.unlock() }
      let plan = try DraftPlan(
        request, images, ofMachine: machine.name, sources: sources.members, at: .now)
      let prepared = try DraftPreparation(access: access, control: control).prepare(
        plan.drafts, of: images.members, states: plan.states)
      return PreparedSnapshots(prepared, locked: images, plan: plan)
    } catch {
      images.unlock()
      throw error
    }
  }
}
