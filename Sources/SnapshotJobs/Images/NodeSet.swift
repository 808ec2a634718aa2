import FileNames
public import Jobs
internal import Qcow2

/// The nodes that a request names, checked as far as names go.
///
/// The texts are QEMU's (migration/savevm.c) where it has one.
struct NodeSet {
  let nodes: [Node]

  init(_ request: SnapshotRequest, machine: Machine) throws(JobError) {
    guard !request.devices.isEmpty else {
      throw JobError(.usage, "At least one device is required for snapshot")
    }
    var nodes: [Node] = []
    for node in try machine.nodes(named: request.devices) {
      guard !nodes.contains(where: { $0.name == node.name }) else {
        throw JobError(.usage, "Node '\(node.name)' is listed twice")
      }
      guard !node.isReadOnly else {
        throw JobError(.refused, "Device '\(node.name)' is writable but does not support snapshots")
      }
      nodes.append(node)
    }
    if let vmstate = request.vmstate, request.operation != .delete,
      !nodes.contains(where: { $0.name.description == vmstate })
    {
      throw JobError(
        .notFound,
        "vmstate block device '\(vmstate)' does not exist. \(machine.nodesAdvice)")
    }
    self.nodes = nodes
  }
}

extension SnapshotRequest {
  /// The nodes that the request names, in its order.
  ///
  /// - Parameter machine: whose nodes.
  /// - Returns: the nodes.
  /// - Throws: `JobError` if there are none, one is unknown, listed twice or read-only, or the node for
  ///   device state is not among them.
  public func nodes(of machine: Machine) throws(JobError) -> [Node] {
    try NodeSet(self, machine: machine).nodes
  }

  /// Checks the tags of a request before anything is opened.
  ///
  /// - Throws: `JobError` (usage) for the first tag that no snapshot can have.
  public func checkTags() throws(JobError) {
    if snapshotID != nil {
      guard tag.isEmpty, moreTags.isEmpty else {
        throw JobError(.usage, "Either a tag names the snapshot, or an id; not both")
      }
      guard devices.count == 1 else {
        throw JobError(
          .usage,
          "An id names the snapshot of one disk, and \(devices.count) are meant. Name the one: --device NODE"
        )
      }
    }
    let own = snapshotID == nil ? [tag] : []
    for tag in own + moreTags + [saveCurrent].compactMap(\.self) {
      guard !tag.isEmpty else {
        throw JobError(.usage, "The tag is empty; give the snapshot a name of 1 to 255 bytes")
      }
      guard tag.utf8.count <= SnapshotRequest.maximumTagByteCount else {
        throw JobError(
          .usage,
          "The tag is \(tag.utf8.count) bytes long; QEMU keeps \(SnapshotRequest.maximumTagByteCount)"
        )
      }
      guard !tag.hasBytesOfFileNames else {
        throw JobError(
          .usage,
          "The tag is no UTF-8. Give it another one; a snapshot that has such a name is named by its id: --id ID"
        )
      }
      guard !tag.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
      else {
        throw JobError(.usage, "The tag has a control character in it; leave it out")
      }
    }
    if let saveCurrent, saveCurrent.hasSameBytes(as: tag) {
      throw JobError(.usage, "--save-current needs another tag than the one to load ('\(tag)')")
    }
  }

  /// QEMU's `QEMUSnapshotInfo.name` has 256 bytes with the terminating zero.
  static let maximumTagByteCount = 255
}
