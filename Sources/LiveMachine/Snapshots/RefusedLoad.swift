import Jobs
import QMP
import SnapshotJobs

/// A load that a running machine has refused. QEMU stops the guest before it looks at anything, and leaves it so.
struct RefusedLoad: Sendable {
  let request: SnapshotRequest
  /// What QEMU said.
  let error: JobError
  /// The node that would have gone back first, as the machine calls it; nil if that is not known.
  let firstNode: String?

  /// Lets the guest go on if nothing was changed, unless it is to stay stopped.
  ///
  /// - Returns: the error that the job ends with: QEMU's, and what became of the machine.
  /// - Throws: `QMPError` if the machine cannot be asked.
  func settle(on monitor: any QMPEndpoint) async throws(QMPError) -> JobError {
    // A machine that did not run before is in another state than this.
    guard try await monitor.execute("query-status", nil).text("status") == "restore-vm" else {
      return error
    }
    guard hasChangedNothing else {
      return JobError(
        error.kind,
        "\(error.message). The machine is stopped: some of its disks may be at '\(request.tag)' already. "
          + "Load a snapshot, or reset the machine")
    }
    if request.noResume == true {
      return JobError(error.kind, "\(error.message). Nothing was changed; the machine is stopped")
    }
    _ = try await monitor.execute("cont", nil)
    return JobError(error.kind, "\(error.message). Nothing was changed; the machine goes on")
  }

  /// Whether the refusal comes before the first disk goes back (migration/savevm.c).
  private var hasChangedNothing: Bool {
    let text = error.message
    if Self.earlyRefusals.contains(where: text.hasPrefix) { return true }
    guard let firstNode else { return false }
    return text.hasPrefix("Could not load snapshot '\(request.tag)' on '\(firstNode)'")
      && text.hasSuffix("Device has active dirty bitmaps")
  }

  private static let earlyRefusals = [
    "Snapshot '", "Device '", "No block device node", "vmstate block device",
    "At least one device", "This is a disk-only snapshot", "Snapshot can not be found",
    "Snapshots are not compatible", "Record/replay", "State blocked",
  ]
}
