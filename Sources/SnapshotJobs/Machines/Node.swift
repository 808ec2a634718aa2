public import Jobs

/// The name of a block node: QEMU's rule for names that users give (a letter, then letters, digits,
/// `-`, `.` and `_`; at most 31 bytes).
public struct NodeName: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
  /// QEMU's limit, `BDRV_NODE_NAME_MAX` (block/block_int-common.h).
  public static let maximumByteCount = 31

  /// The name itself.
  public let description: String

  /// Checks a name.
  ///
  /// - Throws: `JobError` (refused) if it is not well-formed or too long.
  public init(_ name: String) throws(JobError) {
    guard JobID.isWellFormed(name) else {
      throw JobError(
        .refused,
        "Invalid node-name: '\(name)' (a letter, then letters, digits, '-', '.' and '_')")
    }
    guard name.utf8.count <= Self.maximumByteCount else {
      throw JobError(
        .refused,
        "Node name '\(name)' is longer than \(Self.maximumByteCount) bytes")
    }
    description = name
  }

  /// Orders names by their bytes.
  public static func < (left: NodeName, right: NodeName) -> Bool {
    left.description < right.description
  }
}

/// One disk of a machine: a label for one qcow2 file.
public struct Node: Sendable, Hashable {
  /// The label.
  public let name: NodeName
  /// The absolute path of the file.
  public let path: String
  /// Whether it is left alone by everything that changes images.
  public let isReadOnly: Bool
  /// Whether jobs without a device list leave it out.
  public let isExcluded: Bool

  /// Makes a node.
  public init(name: NodeName, path: String, isReadOnly: Bool = false, isExcluded: Bool = false) {
    self.name = name
    self.path = path
    self.isReadOnly = isReadOnly
    self.isExcluded = isExcluded
  }
}
