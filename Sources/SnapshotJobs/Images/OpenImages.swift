internal import Jobs
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
  /// The record that is being settled by this very work is no obstacle.
  init(
    _ nodes: [Node], for purpose: Image.Purpose, access: ImageAccess,
    settling: CommitID? = nil, control: JobControl? = nil
  ) throws(JobError) {
    files = access.files
    log = access.log
    var members: [Member] = []
    // The same order everywhere, so that two jobs cannot wait for each other.
    for node in nodes.sorted(by: { $0.path < $1.path }) {
      do {
        let image = try Image.open(
          node.path, for: purpose, access: access.files, patience: access.lockPatience,
          onWait: access.onWait,
          isCancelled: { control.map { (try? $0.checkpoint()) == nil } ?? false })
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
      try checkOpenRecords(access, settling: settling)
      try checkBlockDevices()
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

  /// An image of a commit that is not settled must not change.
  private func checkOpenRecords(_ access: ImageAccess, settling: CommitID?) throws(JobError) {
    for record in try access.log.openRecords() where record.id != settling {
      for commit in record.images {
        guard
          let member = members.first(where: {
            commit.names($0.image)
          })
        else { continue }
        // Those that are open here are locked by this job itself.
        let isWaiting = record.images.contains { other in
          !members.contains { $0.image.identity == other.identity }
            && !CommitState.canReach(other, access.files)
        }
        throw JobError(
          isWaiting ? .inUse : .conflict,
          "\(member.node.name): \(member.image.path) belongs to a commit that is not settled (job "
            + "\(record.jobs.map(\.description).joined(separator: ", "))). See: snapjob recover")
      }
    }
  }

  /// Without marks a block device cannot tell whether others have written.
  private func checkBlockDevices() throws(JobError) {
    guard members.count > 1 else { return }
    for member in members where member.image.version == 2 && member.image.isBlockDevice {
      throw JobError(
        .refused,
        "\(member.node.name): a version 2 image on a block device can take part in one-disk jobs only; "
          + "convert it with: qemu-img amend -o compat=1.1 \(member.image.path)")
    }
  }

  func unlock() { members.forEach { $0.image.unlock() } }
}
