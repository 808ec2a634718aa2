internal import Qcow2

/// One snapshot that a job took, with what tells it from one of the same tag that another program took.
public struct TakenSnapshot: Sendable, Hashable, Codable {
  /// The node's name at that time.
  public let node: String
  /// The absolute path of the image at that time.
  public let path: String
  /// The snapshot's id in the image; nil where that was not kept.
  public let id: String?
  /// When it was taken, as the image says: seconds since the epoch.
  public let dateSeconds: Int64
  /// Nanoseconds of that second.
  public let dateNanoseconds: UInt32

  /// Makes a description.
  public init(
    node: String, path: String, id: String?, dateSeconds: Int64, dateNanoseconds: UInt32
  ) {
    self.node = node
    self.path = path
    self.id = id
    self.dateSeconds = dateSeconds
    self.dateNanoseconds = dateNanoseconds
  }

  init(_ key: SnapshotKey, on node: Node) {
    self.init(
      node: node.name.description, path: node.path, id: key.id, dateSeconds: key.seconds,
      dateNanoseconds: key.nanoseconds)
  }
}
