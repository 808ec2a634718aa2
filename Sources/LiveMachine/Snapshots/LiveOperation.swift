import FileNames
import Glibc
import Jobs
import QMP
import SnapshotJobs

/// Does on a running machine what a plan says.
struct LiveOperation: Sendable {
  let monitor: any QMPEndpoint
  let request: SnapshotRequest
  let machine: Machine

  /// The monitor went away while the machine was at work.
  struct Interrupted: Error {
    let cause: QMPError
    /// What it was at.
    let plan: LivePlan
  }

  /// Looks at the machine, asks QEMU, and tells what was done.
  ///
  /// - Throws: `JobError`, `QMPError` or ``Interrupted``.
  func run() async throws -> SnapshotResult {
    let plan = try await makePlan()
    if plan.isDone { return Self.result(of: plan) }
    return try await tellingOfInterruption(plan) {
      let pause = try await perform(plan)
      return try await finish(plan, pause: pause)
    }
  }

  /// Looks at the machine and checks the request.
  func makePlan() async throws -> LivePlan {
    var plan = try LivePlan(
      request, machine: machine, disks: try await DiskScan(monitor).disks)
    guard !plan.isDone, plan.vmstate != nil else { return plan }
    try await checkBlockers()
    if request.operation == .save, let vmstate = plan.vmstate {
      plan.room = try await room(on: vmstate)
    }
    return plan
  }

  /// Takes up on a new connection what was interrupted: QEMU brings its job to its end by itself.
  ///
  /// - Parameters:
  ///   - plan: what the machine was at.
  ///   - start: when it began.
  /// - Returns: what was done.
  /// - Throws: as ``run()``.
  func takeUp(_ plan: LivePlan, since start: Timestamp) async throws -> SnapshotResult {
    try await tellingOfInterruption(plan) {
      let outcome = try await QEMUJob(request.liveJobID, on: monitor).awaitEnd()
      if let error = outcome?.error { throw try await failure(error, plan) }
      switch request.operation {
      case .save where outcome == nil:
        let isDone = try await isSaved(plan, since: start)
        if !isDone { throw notBegun }
      case .save: break
      case .load where outcome == nil: throw notBegun
      case .load: break
      case .delete:
        // What is gone already is not asked for again.
        var rest = request
        rest.mustExist = false
        _ = try await LiveOperation(monitor: monitor, request: rest, machine: machine).run()
      }
      return try await finish(plan, pause: nil)
    }
  }

  private var notBegun: JobError {
    JobError(
      .connection,
      "The connection to the running machine broke, and it knows of no such job. See: "
        + "\(NextStep(["list"], machine: machine.name))")
  }

  private func tellingOfInterruption(
    _ plan: LivePlan, _ body: () async throws -> SnapshotResult
  ) async throws -> SnapshotResult {
    do {
      return try await body()
    } catch let error as QMPError where error.kind == FailureKind.connection.rawValue {
      throw Interrupted(cause: error, plan: plan)
    }
  }

  private static func result(of plan: LivePlan) -> SnapshotResult {
    SnapshotResult(
      bytesWritten: 0, bytesFreed: 0,
      changedNodes: plan.isDone ? [] : plan.members.map(\.node.name.description),
      remarks: plan.remarks)
  }

  // MARK: Before

  /// What QEMU would refuse while it saves, and find out in the middle of a load, with the disks gone back
  /// already: devices that cannot be migrated, and other reasons of its own (`blocked-reasons` of
  /// qapi/migration.json, since 6.0).
  private func checkBlockers() async throws {
    let state: QMPValue
    do throws(QMPError) {
      state = try await monitor.execute("query-migrate", nil)
    } catch {
      guard error.errorClass == .commandNotFound else { throw error }
      return
    }
    let reasons = (state["blocked-reasons"]?.elements ?? []).compactMap(\.asText)
    guard let first = reasons.first else { return }
    let others = reasons.count > 1 ? " (and \(reasons.count - 1) more)" : ""
    let way =
      request.operation == .save
      ? "Remove the device, or leave the memory out (--disk-only)"
      : "Remove the device, or stop the machine, and load the disks alone"
    throw JobError(
      .refused,
      "\(machine.label): the running machine's memory can be neither saved nor loaded: "
        + "\(first)\(others). \(way)")
  }

  /// The memory is written into the image as it is; QEMU would find out half-way that there is no room.
  private func room(on member: LivePlan.Member) async throws -> LivePlan.Room {
    let needed = try await memoryByteCount()
    var status = statvfs()
    guard statvfs(member.node.path, &status) == 0 else {
      return LivePlan.Room(needed: needed, free: nil)
    }
    let (free, overflow) = Int64(clamping: status.f_bavail).multipliedReportingOverflow(
      by: Int64(clamping: status.f_frsize))
    guard !overflow, free < needed else {
      return LivePlan.Room(needed: needed, free: overflow ? nil : free)
    }
    throw JobError(
      .noSpace,
      "\(member.node.name): the machine's memory takes up to \(needed) bytes in \(member.node.path), and "
        + "\(free) are free there. Make room, choose another node (--vmstate), or leave the memory out "
        + "(--disk-only)")
  }

  /// The guest's memory in bytes.
  private func memoryByteCount() async throws(QMPError) -> Int64 {
    let memory = try await monitor.execute("query-memory-size-summary", nil)
    return memory.integer("base-memory").addingReportingOverflow(memory.integer("plugged-memory"))
      .partialValue
  }

  // MARK: The work

  /// Returns how long the guest stood still.
  private func perform(_ plan: LivePlan) async throws -> Int64? {
    switch request.operation {
    case .save:
      if plan.vmstate != nil { return try await runJob(plan, tag: request.tag) }
      try await saveDisks(plan)
    case .load: return try await runJob(plan, tag: request.tag)
    case .delete:
      for tag in plan.tags { _ = try await runJob(plan, tag: tag) }
    }
    return nil
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
    if let error = outcome.error { throw try await failure(error, plan) }
    return outcome.pauseNanoseconds
  }

  /// The error that the job ends with, for a job of QEMU that failed.
  private func failure(_ text: String, _ plan: LivePlan) async throws(QMPError) -> JobError {
    let error = JobError(.general, text)
    guard request.operation == .load else { return error }
    return try await RefusedLoad(
      request: request, error: error, firstNode: plan.members.first?.disk.node
    ).settle(on: monitor)
  }

  // MARK: Afterwards

  private func finish(_ plan: LivePlan, pause: Int64?) async throws -> SnapshotResult {
    var result = Self.result(of: plan)
    result.pauseNanoseconds = pause
    switch request.operation {
    case .save:
      let disks = try await DiskScan(monitor).disks
      let taken = plan.members.compactMap { Self.taken(request.tag, $0, among: disks) }
      guard taken.count == plan.members.count else {
        throw JobError(
          .general,
          "The running machine calls the save done, and not every disk has '\(request.tag)'. See: "
            + "\(NextStep(["list"], machine: machine.name))")
      }
      result.takenSnapshots = taken
      result.bytesWritten =
        plan.vmstate.flatMap { Self.snapshot(request.tag, $0, among: disks) }?.vmStateSize ?? 0
    case .load: break
    case .delete: result.deletedTags = plan.tags
    }
    try await flush(plan)
    return result
  }

  /// Whether every disk has the snapshot, and it is not an older one.
  private func isSaved(_ plan: LivePlan, since start: Timestamp) async throws -> Bool {
    let disks = try await DiskScan(monitor).disks
    return plan.members.allSatisfy { member in
      Self.snapshot(request.tag, member, among: disks)?.isTaken(since: start) ?? false
    }
  }

  private static func snapshot(
    _ tag: String, _ member: LivePlan.Member, among disks: [LiveDisk]
  ) -> LiveDisk.Snapshot? {
    disks.first { $0.node == member.disk.node }?.snapshots.last { $0.isCalled(tag) }
  }

  private static func taken(
    _ tag: String, _ member: LivePlan.Member, among disks: [LiveDisk]
  ) -> TakenSnapshot? {
    snapshot(tag, member, among: disks).map { snapshot in
      TakenSnapshot(
        node: member.node.name.description, path: member.node.path, id: snapshot.id,
        dateSeconds: snapshot.dateSeconds, dateNanoseconds: snapshot.dateNanoseconds)
    }
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
}
