import Glibc
import Jobs
import QMP
import SnapshotJobs

/// Does on a running machine what a plan says.
struct LiveOperation: Sendable {
  let monitor: any QMPEndpoint
  let request: SnapshotRequest
  let machine: Machine

  /// Looks at the machine, asks QEMU, and tells what was done.
  ///
  /// - Throws: `JobError` or `QMPError`.
  func run() async throws -> SnapshotResult {
    let plan = try await makePlan()
    var result = SnapshotResult(
      bytesWritten: 0, bytesFreed: 0, changedNodes: plan.members.map(\.node.name.description),
      remarks: plan.remarks)
    if plan.isDone { return result }
    do {
      try await perform(plan, &result)
      try await flush(plan)
    } catch let error as QMPError where error.kind == FailureKind.connection.rawValue {
      throw MachineGone(cause: error)
    }
    return result
  }

  /// The machine went away while it was at work.
  struct MachineGone: Error {
    let cause: QMPError
  }

  /// Has QEMU write out what it keeps of the images' tables: a machine that dies later would leave clusters
  /// that are counted and not used. Where the monitor for people is missing, they stay where they are.
  private func flush(_ plan: LivePlan) async throws(QMPError) {
    for member in plan.members {
      do throws(QMPError) {
        _ = try await monitor.execute(
          "human-monitor-command", ["command-line": .string("qemu-io \(member.disk.node) flush")])
      } catch {
        guard error.kind != nil else { continue }
        throw error
      }
    }
  }

  private func perform(_ plan: LivePlan, _ result: inout SnapshotResult) async throws {
    switch request.operation {
    case .save:
      if plan.vmstate == nil {
        try await saveDisks(plan)
      } else {
        result.pauseNanoseconds = try await runJob(plan, tag: request.tag)
        result.bytesWritten = try await memorySize(plan)
      }
    case .load:
      result.pauseNanoseconds = try await load(plan)
    case .delete:
      for tag in plan.tags { _ = try await runJob(plan, tag: tag) }
      result.deletedTags = plan.tags
    }
  }

  /// Looks at the machine and checks the request.
  func makePlan() async throws -> LivePlan {
    let plan = try LivePlan(
      request, machine: machine, disks: try await DiskScan(monitor).disks)
    if request.operation == .save, !plan.isDone, let vmstate = plan.vmstate {
      try await checkRoom(on: vmstate)
    }
    return plan
  }

  // MARK: Save

  /// The memory is written into the image as it is; QEMU would find out half-way that there is no room.
  private func checkRoom(on member: LivePlan.Member) async throws {
    let needed = try await memoryByteCount()
    var room = statvfs()
    guard statvfs(member.node.path, &room) == 0 else { return }
    let (free, overflow) = Int64(clamping: room.f_bavail).multipliedReportingOverflow(
      by: Int64(clamping: room.f_frsize))
    guard !overflow, free < needed else { return }
    throw JobError(
      .noSpace,
      "\(member.node.name): the machine's memory takes up to \(needed) bytes in \(member.node.path), and "
        + "\(free) are free there. Make room, choose another node (--vmstate), or leave the memory out "
        + "(--disk-only)")
  }

  /// The guest's memory in bytes.
  func memoryByteCount() async throws(QMPError) -> Int64 {
    let memory = try await monitor.execute("query-memory-size-summary", nil)
    return memory.integer("base-memory").addingReportingOverflow(memory.integer("plugged-memory"))
      .partialValue
  }

  /// Disk-only snapshots of all disks at the same moment; the guest is not stopped.
  private func saveDisks(_ plan: LivePlan) async throws {
    let actions = plan.members.map { member -> QMPValue in
      [
        "type": "blockdev-snapshot-internal-sync",
        "data": ["device": .string(member.disk.node), "name": .string(request.tag)],
      ]
    }
    _ = try await monitor.execute("transaction", ["actions": .array(actions)])
  }

  private func memorySize(_ plan: LivePlan) async throws -> Int64 {
    guard let node = plan.vmstate?.disk.node else { return 0 }
    let disk = try await DiskScan(monitor).disks.first { $0.node == node }
    return disk?.snapshots.last { $0.name == request.tag }?.vmStateSize ?? 0
  }

  // MARK: Load

  private func load(_ plan: LivePlan) async throws -> Int64? {
    let wasRunning = try await isRunning()
    do {
      return try await runJob(plan, tag: request.tag)
    } catch let error as JobError where wasRunning {
      guard try await !isRunning() else { throw error }
      throw try await afterFailure(error, plan)
    }
  }

  /// QEMU stops the guest before it looks at anything, and leaves it so when it refuses.
  private func afterFailure(_ error: JobError, _ plan: LivePlan) async throws -> JobError {
    guard hasChangedNothing(error.message, plan) else {
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

  /// Whether a refusal of QEMU comes before the first disk goes back (migration/savevm.c).
  private func hasChangedNothing(_ text: String, _ plan: LivePlan) -> Bool {
    let early = [
      "Snapshot '", "Device '", "No block device node", "vmstate block device",
      "At least one device",
      "This is a disk-only snapshot", "Snapshot can not be found", "Snapshots are not compatible",
      "Record/replay", "State blocked",
    ]
    if early.contains(where: text.hasPrefix) { return true }
    guard let first = plan.members.first?.disk.node else { return false }
    return text.hasPrefix("Could not load snapshot '\(request.tag)' on '\(first)'")
      && text.hasSuffix("Device has active dirty bitmaps")
  }

  private func isRunning() async throws(QMPError) -> Bool {
    try await monitor.execute("query-status", nil).isTrue("running")
  }

  // MARK: Jobs

  /// Runs one of QEMU's jobs; returns how long the guest stood still.
  private func runJob(_ plan: LivePlan, tag: String) async throws -> Int64? {
    var arguments: [QMPValue.Member] = [
      .init("tag", .string(tag)), .init("devices", .list(plan.members.map(\.disk.node))),
    ]
    if let vmstate = plan.vmstate {
      arguments.append(.init("vmstate", .string(vmstate.disk.node)))
    }
    let outcome = try await QEMUJob(request.liveJobID, on: monitor).run(
      request.operation.rawValue, arguments)
    if let error = outcome.error { throw JobError(.general, error) }
    return outcome.pauseNanoseconds
  }
}
