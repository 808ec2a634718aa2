public import Jobs
public import Qcow2

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
    /// Nanoseconds of that second.
    public var dateNanoseconds: UInt32 = 0
    /// The guest's clock in nanoseconds.
    public let vmClockNanoseconds: UInt64
    /// The room that it takes in the image; nil if that was not asked for.
    public var space: SnapshotSpace?
    /// Whether the image has the marker bit of an earlier snapjob, with which `qemu-img check -r` deletes its
    /// snapshots.
    public var hasMarker = false

    fileprivate var date: (Int64, UInt32) { (dateSeconds, dateNanoseconds) }
  }

  /// The tag, as the images have it.
  public let tagBytes: [UInt8]
  /// The earliest date of its snapshots, in seconds since the epoch.
  public let dateSeconds: Int64
  /// The snapshots of that tag, in the order of the machine's nodes.
  public let devices: [Device]
  /// Whether each covered node of the machine has it, exactly once.
  public let isComplete: Bool
  /// The covered nodes that lack it.
  public var missingNodes: [NodeName] = []

  /// The tag for people: what is no UTF-8 in it is replaced.
  public var tag: String { String(decoding: tagBytes, as: UTF8.self) }

  /// The room that it takes on all nodes together; nil if that was not asked for.
  public var space: SnapshotSpace? {
    devices.reduce(nil) { sum, device in
      guard let space = device.space else { return sum }
      return (sum ?? SnapshotSpace()) + space
    }
  }

  /// Of two that were taken in the same instant, the one with the lower id was taken first.
  fileprivate static func isOlder(_ left: SnapshotListing, _ right: SnapshotListing) -> Bool {
    let (first, second) = (left.firstDate, right.firstDate)
    if first != second { return first < second }
    return (left.lowestID, left.tag) < (right.lowestID, right.tag)
  }

  /// What tells the snapshot of a device from all others.
  public func key(of device: Device) -> SnapshotKey {
    SnapshotKey(
      tag: tagBytes, id: device.id, seconds: device.dateSeconds,
      nanoseconds: device.dateNanoseconds)
  }

  /// Whether it was taken before another one, which counts as of this date.
  func wasTaken(before date: (Int64, UInt32), _ other: SnapshotListing) -> Bool {
    firstDate == date ? lowestID < other.lowestID : firstDate < date
  }

  var firstDate: (Int64, UInt32) { devices.map(\.date).min(by: <) ?? (dateSeconds, 0) }

  private var lowestID: UInt64 { devices.compactMap { UInt64($0.id) }.min() ?? .max }
}

extension Machine {
  /// The machine's snapshots, oldest first, read from the images (also while a VM holds them).
  ///
  /// - Parameters:
  ///   - devices: node names; nil for all nodes that are not excluded.
  ///   - withSpace: whether to work out the room that each takes; that reads every L2 table.
  /// - Returns: one listing for each tag.
  /// - Throws: `JobError` if a node is unknown or an image cannot be read.
  public func snapshots(
    on devices: [String]? = nil, withSpace: Bool = false
  ) throws(JobError) -> [SnapshotListing] {
    let survey = try surveySnapshots(on: devices, withSpace: withSpace)
    if let failure = survey.failures.first { throw failure.error }
    return survey.listings
  }

  /// The same as far as the images can be read.
  ///
  /// - Throws: `JobError` if a node is unknown.
  public func surveySnapshots(
    on devices: [String]? = nil, withSpace: Bool = false
  ) throws(JobError) -> ListedSnapshots {
    let wanted = try devices.map(self.nodes(named:)) ?? nodes.filter { !$0.isExcluded }
    var found: [[UInt8]: [SnapshotListing.Device]] = [:]
    var failures: [ListedSnapshots.Failure] = []
    for node in wanted {
      do throws(JobError) {
        for (tag, device) in try node.snapshots(withSpace: withSpace) {
          found[tag, default: []].append(device)
        }
      } catch {
        failures.append(ListedSnapshots.Failure(node: node, error: error))
      }
    }
    // Of the devices asked for, those that a job without a device list covers decide. What could not be read
    // may have a tag or lack it: no tag is said to be complete then.
    let covered = wanted.filter { devices != nil || coveredNodes.contains($0) }
    let unread = failures.map(\.node)
    let listings = found.map { tag, devices in
      let counts = covered.map { node in devices.count { $0.node == node.name } }
      return SnapshotListing(
        tagBytes: tag,
        dateSeconds: devices.map(\.dateSeconds).min() ?? 0, devices: devices,
        isComplete: counts.allSatisfy { $0 == 1 },
        missingNodes: zip(covered, counts).filter { $0.1 == 0 && !unread.contains($0.0) }
          .map(\.0.name))
    }.sorted(by: SnapshotListing.isOlder)
    return ListedSnapshots(listings: listings, failures: failures)
  }
}

/// The snapshots of a machine's images, and what keeps some images from being read.
public struct ListedSnapshots: Sendable, Hashable {
  /// An image that could not be read.
  public struct Failure: Sendable, Hashable {
    /// The node.
    public let node: Node
    /// Why.
    public var error: JobError
  }

  /// One listing for each tag, oldest first.
  public let listings: [SnapshotListing]
  /// The images that could not be read, in the order of the nodes.
  public var failures: [Failure]

  /// Makes a survey.
  public init(listings: [SnapshotListing], failures: [Failure]) {
    self.listings = listings
    self.failures = failures
  }
}

extension Node {
  /// The snapshots of the node's image with their tags, in table order.
  fileprivate func snapshots(
    withSpace: Bool
  ) throws(JobError) -> [(tag: [UInt8], device: SnapshotListing.Device)] {
    try look { image in
      let space = withSpace ? try image.snapshotSpace() : nil
      return image.snapshots.enumerated().map { position, snapshot in
        let device = SnapshotListing.Device(
          node: name, id: snapshot.id, vmStateSize: snapshot.vmStateSize,
          diskSize: snapshot.diskSize, dateSeconds: Int64(snapshot.dateSeconds),
          dateNanoseconds: snapshot.dateNanoseconds,
          vmClockNanoseconds: snapshot.vmClockNanoseconds, space: space?[position],
          hasMarker: image.hasMarker)
        return (snapshot.nameBytes, device)
      }
    }
  }
}
