public import Jobs

/// One tag of a machine, over all its nodes.
public struct SnapshotListing: Sendable, Hashable {
  /// One node's snapshot of that tag.
  public struct Device: Sendable, Hashable {
    /// The node.
    public let node: NodeName
    /// The snapshot's id in that image.
    public let id: String
    /// Bytes of VM state; 0 for a disk-only snapshot.
    public let vmStateSize: UInt64
    /// The disk's size in the snapshot, in bytes.
    public let diskSize: UInt64
    /// When it was taken: seconds since the epoch.
    public let dateSeconds: Int64
    /// The guest's clock in nanoseconds.
    public let vmClockNanoseconds: UInt64
  }

  /// The tag.
  public let tag: String
  /// The earliest date of its snapshots, in seconds since the epoch.
  public let dateSeconds: Int64
  /// The nodes that have it.
  public let devices: [Device]
  /// Whether each covered node of the machine has it, exactly once.
  public let isComplete: Bool
}

extension Machine {
  /// The machine's snapshots, oldest first, read from the images (also while a VM holds them).
  ///
  /// - Parameter devices: node names; nil for all nodes, excluded and read-only ones included.
  public func snapshots(on devices: [String]? = nil) throws(JobError) -> [SnapshotListing] {
    throw JobError(.general, "not built")
  }
}
