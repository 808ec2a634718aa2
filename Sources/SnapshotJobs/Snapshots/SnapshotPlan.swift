public import Jobs
internal import Qcow2

/// What a request would do to one disk (`--dry-run`).
public struct NodePlan: Sendable, Hashable, Codable {
  /// The node.
  public let node: String
  /// The file.
  public let path: String
  /// What would happen, as a sentence.
  public let action: String
  /// Bytes that would be written, as an estimate from above; 0 where nothing happens.
  public let bytesToWrite: Int64
  /// Bytes of clusters that would become free: what only the snapshots that go away refer to, and for a
  /// load what only the state that is lost refers to.
  public var bytesToFree: Int64
  /// Bytes that are free where a running machine's memory is written; nil where none is, or that is not
  /// known.
  public var bytesFree: Int64?
  /// Whether a running machine would do it.
  public var isLive = false
  /// How long a running machine's guest stood still the last time, in nanoseconds; nil where it does not, or
  /// that was never seen.
  public var lastPauseNanoseconds: Int64?

  /// Makes a plan.
  public init(
    node: String, path: String, action: String, bytesToWrite: Int64, bytesToFree: Int64 = 0
  ) {
    self.node = node
    self.path = path
    self.action = action
    self.bytesToWrite = bytesToWrite
    self.bytesToFree = bytesToFree
  }
}

extension SnapshotRequest {
  /// What this request would do to each disk, with all the checks of the real job; reads only.
  ///
  /// - Throws: `JobError`: the error that the job would end with.
  public func plan(on machine: Machine, access: ImageAccess) throws(JobError) -> [NodePlan] {
    try checkTags()
    try checkBitmapActions()
    let nodes = try NodeSet(self, machine: machine).nodes
    let images = try OpenImages(nodes, for: .read, access: access)
    defer { images.unlock() }
    let sources = try OpenImages(
      machine.sources(of: bitmapSources, besides: nodes), for: .read, access: access)
    defer { sources.unlock() }
    let plan = try DraftPlan(
      self, images, ofMachine: machine.name, sources: sources.members, at: .now)
    var plans: [NodePlan] = []
    for (index, member) in images.members.enumerated() {
      var bytesToWrite: Int64 = 0
      var bytesToFree: Int64 = 0
      do {
        if var draft = plan.drafts[index] {
          try member.image.checkChangeable()
          let freedBefore = draft.freedByteCount
          try draft.settle { _ in }
          bytesToWrite = draft.writeByteCountEstimate
          bytesToFree = draft.freedByteCount - freedBefore
        }
      } catch {
        throw JobError(wrapping: error, node: member.node.name.description)
      }
      plans.append(
        NodePlan(
          node: member.node.name.description, path: member.node.path, action: plan.actions[index],
          bytesToWrite: bytesToWrite, bytesToFree: bytesToFree))
    }
    return plans
  }

  /// The same while a virtual machine holds the images: they are looked at without locks. What the machine
  /// has not written yet is not in it.
  public func bytesAtRisk(lookingAt machine: Machine) throws(JobError) -> Int64 {
    var total: Int64 = 0
    for node in try NodeSet(self, machine: machine).nodes {
      total += try node.look { image in try image.unsharedActiveByteCount() }
    }
    return total
  }

  /// For a load: the bytes in active clusters that are in no snapshot, over all devices; the load loses
  /// them.
  public func bytesAtRisk(on machine: Machine, access: ImageAccess) throws(JobError) -> Int64 {
    let images = try OpenImages(
      try NodeSet(self, machine: machine).nodes, for: .read, access: access)
    defer { images.unlock() }
    var total: Int64 = 0
    for member in images.members {
      do {
        total += try member.image.unsharedActiveByteCount()
      } catch {
        throw JobError(wrapping: error, node: member.node.name.description)
      }
    }
    return total
  }
}
