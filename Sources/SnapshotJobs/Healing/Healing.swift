private import Glibc
public import Jobs
internal import Qcow2

/// Mends what a virtual machine has left on its disks that died in the middle of a snapshot job.
///
/// QEMU changes images in place: refcounts and flags may disagree then, and a snapshot may be on some disks
/// only. A save is taken away again, a delete is brought to its end; a load cannot be either.
public struct Healing: Sendable {
  private let request: SnapshotRequest
  private let machine: Machine
  private let start: Timestamp
  private let access: ImageAccess

  /// Makes a healing; nothing is opened yet.
  ///
  /// - Parameters:
  ///   - request: what the machine was doing.
  ///   - machine: whose disks.
  ///   - start: when it began; snapshots that are older are somebody else's.
  ///   - access: the way to the images.
  public init(
    _ request: SnapshotRequest, on machine: Machine, since start: Timestamp, access: ImageAccess
  ) {
    self.request = request
    self.machine = machine
    self.start = start
    self.access = access
  }

  /// How long a process that dies may take to let go of its images.
  private static let patience = Duration.seconds(10)
  private static let pauseMicroseconds: UInt32 = 50_000

  /// Repairs the images, and takes the partial set away. Blocks.
  ///
  /// - Returns: what was done, as a sentence.
  /// - Throws: `JobError` with what keeps it from being done (in use while somebody has the images); what
  ///   is done until then stays.
  public func run() throws(JobError) -> String {
    let nodes = try request.nodes(of: machine)
    var repaired: [String] = []
    let end = ContinuousClock.now + Self.patience
    for node in nodes where try repair(node, until: end) {
      repaired.append(node.name.description)
    }
    var sentences: [String] = []
    if !repaired.isEmpty { sentences.append("repaired \(repaired.joined(separator: ", "))") }
    if request.operation != .load {
      for tag in [request.tag] + request.moreTags {
        let removed = try remove(tag)
        if !removed.isEmpty {
          sentences.append("removed '\(tag)' from \(removed.joined(separator: ", "))")
        }
      }
    }
    return sentences.isEmpty
      ? "The images were found clean"
      : "What it left was mended: " + sentences.joined(separator: "; ")
  }

  /// Repairs one image as soon as it is free; returns whether there was anything to repair.
  private func repair(_ node: Node, until end: ContinuousClock.Instant) throws(JobError) -> Bool {
    while true {
      do throws(Qcow2Error) {
        let report = try access.repair(node.path, .all)
        return report.leaksFixed + report.corruptionsFixed > 0
      } catch {
        guard error.code == .inUse, ContinuousClock.now < end else {
          throw JobError(error, node: node.name.description)
        }
        usleep(Self.pauseMicroseconds)
      }
    }
  }

  /// Removes the snapshots of a tag that the machine made, or was to delete.
  private func remove(_ tag: String) throws(JobError) -> [String] {
    let listing = try machine.snapshots(on: request.devices).first {
      $0.tagBytes == Array(tag.utf8)
    }
    let devices = (listing?.devices ?? []).filter {
      request.operation == .delete || $0.isTaken(since: start)
    }
    .map(\.node.description)
    if devices.isEmpty { return [] }
    let removal = SnapshotRequest(
      operation: .delete, tag: tag, devices: devices, vmstate: nil)
    do {
      let work = try SnapshotWork(removal, machine: machine, access: access).prepare(JobControl())
      guard let prepared = work as? PreparedSnapshots else { return [] }
      try ImageCommitter(log: access.log).commit(prepared)
    } catch {
      throw JobError(wrapping: error)
    }
    return devices
  }
}

extension SnapshotListing.Device {
  /// Whether it was taken at a moment or later.
  public func isTaken(since moment: Timestamp) -> Bool {
    let (seconds, overflow) = dateSeconds.multipliedReportingOverflow(by: 1_000_000)
    let date = seconds.addingReportingOverflow(Int64(dateNanoseconds / 1000))
    return !overflow && !date.overflow && date.partialValue >= moment.microseconds
  }
}
