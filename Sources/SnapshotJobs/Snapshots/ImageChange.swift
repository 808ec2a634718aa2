public import Jobs
public import Qcow2

/// A change of images that is prepared and waits for its caller to say which way it goes.
public protocol PreparedChange: Sendable {
  /// The device snapshots that go away with it, in the order in which they were asked for.
  var removed: [Snapshot] { get }

  /// Makes it permanent, on all images or none, and lets go of them; to be called once.
  ///
  /// - Throws: `JobError`; it is undone then, or recovery will say what became of it.
  func commit() throws(JobError)

  /// Undoes it and lets go of the images; to be called once, instead of ``commit()``.
  func undo() throws(JobError)
}

/// Images between the prepare and the commit of a change that no job makes.
///
/// The one commit record for all images names no job: nothing is left in the list of jobs.
public struct ImageChange: PreparedChange {
  /// The device snapshots that go away.
  public let removed: [Snapshot]
  private let prepared: PreparedSnapshots
  private let committer: ImageCommitter

  /// Makes the change permanent.
  public func commit() throws(JobError) {
    try Self.converting { try committer.commit(prepared) }
  }

  /// Undoes the change.
  public func undo() throws(JobError) { try Self.converting { try prepared.undo() } }

  private static func converting<Value>(_ body: () throws -> Value) throws(JobError) -> Value {
    do {
      return try body()
    } catch {
      throw JobError(wrapping: error)
    }
  }
}

extension ImageChange {
  /// Prepares what a snapshot job would do.
  ///
  /// - Parameters:
  ///   - request: what to do.
  ///   - machine: the machine with the nodes.
  ///   - access: commit records, files and patience.
  /// - Throws: `JobError`, the one that the job would end with; every image is as it was then.
  public init(
    _ request: SnapshotRequest, on machine: Machine, access: ImageAccess
  ) throws(JobError) {
    let work = SnapshotWork(request, machine: machine, access: access)
    prepared = try Self.converting { try work.prepareImages(JobControl()) }
    removed = []
    committer = ImageCommitter(log: access.log)
  }

  /// Prepares snapshots of single devices and changes of bitmaps.
  ///
  /// - Parameters:
  ///   - actions: what to do, in this order; at least one.
  ///   - machine: the machine with the nodes.
  ///   - access: commit records, files and patience.
  /// - Throws: `JobError` with QEMU's text for the first action that cannot be done; every image
  ///   is as it was then.
  public init(
    _ actions: [ImageAction], on machine: Machine, access: ImageAccess
  ) throws(JobError) {
    var nodes: [Node] = []
    var named: [ImageAction] = []
    var refusal: JobError?
    for action in actions where refusal == nil {
      do throws(JobError) {
        let node = try action.node(of: machine)
        if !nodes.contains(node) { nodes.append(node) }
        named.append(action)
      } catch {
        refusal = error
      }
    }
    if let refusal, named.isEmpty { throw refusal }
    let images = try OpenImages(nodes, for: .change, access: access)
    do {
      let sources = try OpenImages(
        machine.sources(of: named.flatMap(\.sourceNodes), besides: nodes), for: .read,
        access: access)
      defer { sources.unlock() }
      let plan = try ImageActionPlan(
        named, images.members, sources: sources.members, date: SnapshotMoment.now.date)
      // It was its turn only now: the actions before it can be done.
      if let refusal { throw refusal }
      removed = plan.removed
      prepared = PreparedSnapshots(
        try DraftPreparation(access: access, control: JobControl()).prepare(
          plan.drafts, of: images.members),
        locked: images, plan: plan)
    } catch {
      images.unlock()
      throw JobError(wrapping: error)
    }
    committer = ImageCommitter(log: access.log)
  }
}
