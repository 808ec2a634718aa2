internal import Qcow2

/// One snapshot that a job took, with what tells it from one of the same tag that another program took.
public struct TakenSnapshot: Sendable, Hashable, Codable {
  /// The node's name at that time.
  public let node: String
  /// The absolute path of the image at that time.
  public let path: String
  /// When it was taken, as the image says: seconds since the epoch.
  public let dateSeconds: Int64
  /// Nanoseconds of that second.
  public let dateNanoseconds: UInt32

  /// Makes a description.
  public init(node: String, path: String, dateSeconds: Int64, dateNanoseconds: UInt32) {
    self.node = node
    self.path = path
    self.dateSeconds = dateSeconds
    self.dateNanoseconds = dateNanoseconds
  }

  init(on node: Node, date: ImageDraft.SnapshotDate) {
    self.init(
      node: node.name.description, path: node.path, dateSeconds: Int64(date.seconds),
      dateNanoseconds: date.nanoseconds)
  }

  /// Whether a snapshot that a machine has now is this one.
  ///
  /// A machine's node may have been renamed or its image moved since, so one of the two must be as it was. The
  /// nodes of a machine without a name are called after their files, whichever directory these are in:
  /// there only the path counts.
  ///
  /// - Parameters:
  ///   - device: the snapshot, of the same tag.
  ///   - machine: the machine that it was found on.
  /// - Returns: whether place and moment agree.
  public func isSame(as device: SnapshotListing.Device, of machine: Machine) -> Bool {
    let name = device.node.description
    let isSamePlace =
      machine.node(name)?.path == path || (machine.name != nil && name == node)
    return isSamePlace && device.dateSeconds == dateSeconds
      && device.dateNanoseconds == dateNanoseconds
  }
}
