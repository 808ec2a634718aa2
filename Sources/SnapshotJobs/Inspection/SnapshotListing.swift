public import Jobs
internal import Qcow2

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
  /// The snapshots of that tag, in the order of the machine's nodes.
  public let devices: [Device]
  /// Whether each covered node of the machine has it, exactly once.
  public let isComplete: Bool
}

extension Machine {
  /// The machine's snapshots, oldest first, read from the images (also while a VM holds them).
  ///
  /// - Parameter devices: node names; nil for all nodes, excluded and read-only ones included.
  /// - Returns: one listing for each tag.
  /// - Throws: `JobError` if a node is unknown or an image cannot be read.
  public func snapshots(on devices: [String]? = nil) throws(JobError) -> [SnapshotListing] {
    var wanted = nodes
    if let devices {
      wanted = []
      for name in devices {
        guard let node = node(name) else {
          throw JobError(.notFound, "No block device node '\(name)'")
        }
        wanted.append(node)
      }
    }
    var found: [[UInt8]: [SnapshotListing.Device]] = [:]
    for node in wanted {
      let image: Image
      do throws(Qcow2Error) {
        image = try Image.open(node.path, for: .peek)
      } catch {
        throw JobError(error, node: node.name.description)
      }
      for snapshot in image.snapshots {
        found[snapshot.nameBytes, default: []].append(
          SnapshotListing.Device(
            node: node.name, id: snapshot.id, vmStateSize: snapshot.vmStateSize,
            diskSize: snapshot.diskSize, dateSeconds: Int64(snapshot.dateSeconds),
            vmClockNanoseconds: snapshot.vmClockNanoseconds))
      }
    }
    // Of the devices asked for, those that a job without a device list covers decide.
    let covered = wanted.filter { devices != nil || coveredNodes.contains($0) }
    return found.map { tag, devices in
      SnapshotListing(
        tag: String(decoding: tag, as: UTF8.self),
        dateSeconds: devices.map(\.dateSeconds).min() ?? 0, devices: devices,
        isComplete: covered.allSatisfy { node in devices.count { $0.node == node.name } == 1 })
    }.sorted { ($0.dateSeconds, $0.tag) < ($1.dateSeconds, $1.tag) }
  }
}
