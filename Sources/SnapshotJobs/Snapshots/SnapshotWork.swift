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
  private let settling: CommitID?

  /// Makes the work of one job; nothing is opened yet.
  public init(_ request: SnapshotRequest, machine: Machine, access: ImageAccess) {
    self.init(request, machine: machine, access: access, settling: nil)
  }

  /// Makes the work of a job by which recovery settles a record.
  init(
    _ request: SnapshotRequest, machine: Machine, access: ImageAccess, settling: CommitID?
  ) {
    self.request = request
    self.machine = machine
    self.access = access
    self.settling = settling
  }

  /// Opens and locks the images, checks everything, and prepares each for its new first sector.
  ///
  /// - Throws: `JobError`; every image is as it was then.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    try request.checkTags()
    let nodes = try NodeSet(request, machine: machine).nodes
    let images = try OpenImages(
      nodes, for: .change, access: access, settling: settling, control: control)
    do {
      let plan = try DraftPlan(request, images.members, date: .now)
      let settled = try settle(plan, images.members, control)
      let prepared = try prepare(settled, control)
      return PreparedSnapshots(prepared, locked: images, plan: plan)
    } catch {
      images.unlock()
      throw error
    }
  }

  private typealias Settled = (node: Node, draft: ImageDraft)

  /// Works out the new refcounts of all images at once; nothing is written before all have succeeded.
  private func settle(
    _ plan: DraftPlan, _ members: [OpenImages.Member], _ control: JobControl
  ) throws -> [Settled] {
    let work = zip(members, plan.drafts).compactMap { member, draft in
      draft.map { (node: member.node, draft: $0) }
    }
    // Every table that is read may have to be written anew; put right once that is known.
    work.forEach { control.foresee(2 * $0.draft.settleByteCount) }
    let outcomes = runInParallel(work) { item in
      var draft = item.draft
      do {
        try draft.settle { try control.advance($0) }
      } catch {
        throw JobError(wrapping: error, node: item.node.name.description)
      }
      return (node: item.node, draft: draft)
    }
    return try outcomes.map { try $0.get() }
  }

  /// Undoes what was prepared, whatever becomes of each image; returns what to throw.
  private static func undo(
    _ members: [PreparedSnapshots.Member], because cause: any Error
  ) -> any Error {
    var failure: JobError?
    for member in members {
      do {
        try member.prepared.undo()
      } catch {
        failure = failure ?? JobError(error, node: member.node.name.description)
      }
    }
    guard let failure else { return cause }
    let cause = JobError(wrapping: cause)
    return JobError(
      cause.kind, "\(cause.message); undoing it is incomplete: \(failure.message)")
  }

  /// Writes everything new; if one image fails, the others are undone.
  private func prepare(
    _ settled: [Settled], _ control: JobControl
  ) throws -> [PreparedSnapshots.Member] {
    let outcomes = runInParallel(settled) { item in
      do {
        let estimate = item.draft.writeByteCountEstimate
        control.foresee(estimate - item.draft.settleByteCount)
        let prepared = try item.draft.prepare(commit: CommitID(), catalog: access.log.catalogID) {
          try control.advance($0)
        }
        control.foresee(prepared.bytesWritten - estimate)
        return PreparedSnapshots.Member(node: item.node, prepared: prepared)
      } catch {
        throw JobError(wrapping: error, node: item.node.name.description)
      }
    }
    do {
      let members = try outcomes.map { try $0.get() }
      try control.checkpoint()
      return members
    } catch {
      throw Self.undo(outcomes.compactMap { try? $0.get() }, because: error)
    }
  }
}
