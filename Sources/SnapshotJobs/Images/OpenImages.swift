public import Jobs
internal import Qcow2

/// The images of a job's nodes, open and locked.
struct OpenImages: Sendable {
  /// One node with its image.
  struct Member: Sendable {
    let node: Node
    let image: Image
  }

  let members: [Member]
  /// Where the files come from.
  let files: any FileAccess
  /// The commit records, and the notes of device states.
  let log: any CommitLog

  /// Opens the images of all nodes; none stays open if one cannot be.
  ///
  /// Whoever opens them for a change finishes first what an earlier process has left of a commit on them.
  init(
    _ nodes: [Node], for purpose: Image.Purpose, access: ImageAccess, control: JobControl? = nil
  ) throws(JobError) {
    files = access.files
    log = access.log
    let gate = CommitGate(log: access.log, files: access.files)
    let isChange = purpose == .change || purpose == .repair
    if isChange { try gate.finish(concerning: nodes.map(\.path)) }
    var members: [Member] = []
    // The same order everywhere, so that two jobs cannot wait for each other.
    for node in nodes.sorted(by: { $0.path < $1.path }) {
      do {
        let image = try access.open(node.path, for: purpose) {
          control.map { (try? $0.checkpoint()) == nil } ?? false
        }
        if let twin = members.first(where: { $0.image.identity == image.identity }) {
          throw JobError(
            .conflict,
            "Nodes '\(twin.node.name)' and '\(node.name)' are the same file (\(node.path))")
        }
        members.append(Member(node: node, image: image))
      } catch {
        members.forEach { $0.image.unlock() }
        try control?.checkpoint()
        throw Self.refined(error, node, among: members, access.files)
      }
    }
    self.members = nodes.compactMap { node in members.first { $0.node == node } }
    do {
      if isChange { try gate.check(self.members.map(\.image)) }
    } catch {
      unlock()
      throw error
    }
  }

  /// Two nodes on one file meet each other's lock before they meet each other's identity.
  private static func refined(
    _ error: any Error, _ node: Node, among members: [Member], _ files: any FileAccess
  ) -> JobError {
    if let error = error as? Qcow2Error, error.code == .inUse,
      let looked = try? Image.open(node.path, for: .peek, access: files),
      let twin = members.first(where: { $0.image.identity == looked.identity })
    {
      return JobError(
        .conflict, "Nodes '\(twin.node.name)' and '\(node.name)' are the same file (\(node.path))")
    }
    return JobError(wrapping: error, node: node.name.description)
  }

  func unlock() { members.forEach { $0.image.unlock() } }
}

extension ImageAccess {
  /// What to tell whoever could not read some images because a commit on them is not finished; nil if that is not
  /// the reason.
  public func pendingCommit(on paths: [String]) -> JobError? {
    CommitGate(log: log, files: files).refusal(concerning: paths)
  }

  /// Opens an image; a fence of this catalog's own that whoever changes it meets is resolved first.
  ///
  /// - Parameters:
  ///   - path: the image.
  ///   - purpose: what for.
  ///   - isCancelled: asked while waiting for a lock.
  /// - Throws: `Qcow2Error`, or `JobError` for a fence that cannot be resolved.
  func open(
    _ path: String, for purpose: Image.Purpose, isCancelled: () -> Bool = { false }
  ) throws -> Image {
    do throws(Qcow2Error) {
      return try Image.open(
        path, for: purpose, access: files, patience: lockPatience, onWait: onWait,
        isCancelled: isCancelled)
    } catch {
      let gate = CommitGate(log: log, files: files)
      guard let fence = error.fence else { throw error }
      guard purpose == .change || purpose == .repair else {
        throw gate.refusal(concerning: [path]) ?? JobError(error)
      }
      try gate.resolve(fence, at: path)
    }
    return try Image.open(
      path, for: purpose, access: files, patience: lockPatience, onWait: onWait,
      isCancelled: isCancelled)
  }
}
