import FoundationEssentials
public import Jobs
public import QMP
public import SnapshotJobs

/// A snapshot job on a machine that may be running: done by QEMU if it is, on the files if it is not.
public struct LiveSnapshotWork: JobWork {
  private let request: SnapshotRequest
  private let machine: Machine
  private let address: String
  private let connector: LiveConnector
  private let access: ImageAccess

  /// Makes the work of one job; nobody is asked for anything yet.
  ///
  /// - Parameters:
  ///   - request: what is to be done.
  ///   - machine: the machine as the catalog has it.
  ///   - address: its monitor's.
  ///   - connector: the way to it.
  ///   - access: the way to the machine's files while it is not running.
  public init(
    _ request: SnapshotRequest, machine: Machine, address: String, connector: LiveConnector,
    access: ImageAccess
  ) {
    self.request = request
    self.machine = machine
    self.address = address
    self.connector = connector
    self.access = access
  }

  /// Does it. What QEMU does is done by then: it has no half that could be undone but a save.
  ///
  /// - Throws: `JobError`.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    guard let connection = try connect() else {
      return try SnapshotWork(request, machine: machine, access: access).prepare(control)
    }
    let start = Timestamp.now()
    var attempt = try run(on: connection) { operation in
      try control.checkpoint()
      return try await operation.run()
    }
    while true {
      switch attempt {
      case .success(let result): return DoneWork(self, result: result)
      case .failure(let interruption):
        guard let connection = try reconnect(control) else {
          throw afterDeath(interruption.cause, since: start)
        }
        attempt = try run(on: connection) {
          try await $0.takeUp(interruption.plan, since: start)
        }
      }
    }
  }

  /// Whether an event of a running machine is about a job that it does for one of ours.
  public static func isEventOfOwnJob(_ event: QMPEvent) -> Bool { QEMUJob.concerns(event) }

  private func connect() throws(JobError) -> LiveConnection? {
    let (connector, address) = (connector, address)
    return try waiting { try await connector.connect(address) }
  }

  /// Connects once more to a machine whose monitor was lost in the middle of a job; nil if it is gone.
  ///
  /// Whoever had shared the monitor may be what has ended. A machine that saves or loads is silent
  /// meanwhile: it is waited for.
  private func reconnect(_ control: JobControl) throws -> LiveConnection? {
    while true {
      do throws(JobError) {
        return try connect()
      } catch {
        guard error.kind == .connection || error.kind == .inUse else { throw error }
      }
      try control.checkpoint()
    }
  }

  /// Uses a connection, and closes it.
  private func run(
    on connection: LiveConnection,
    _ body: @escaping @Sendable (LiveOperation) async throws -> SnapshotResult
  ) throws(JobError) -> Result<SnapshotResult, LiveOperation.Interrupted> {
    let operation = LiveOperation(
      monitor: connection.endpoint, request: request, machine: machine)
    return try waiting {
      do {
        let result = try await body(operation)
        await connection.close()
        return .success(result)
      } catch {
        await connection.close()
        guard let interruption = error as? LiveOperation.Interrupted else { throw error }
        return .failure(interruption)
      }
    }
  }

  /// Mends what a machine has left that died, and says so.
  private func afterDeath(_ cause: QMPError, since start: Timestamp) -> JobError {
    let text = "\(cause.desc) while it was at \(request.operation.rawValue) '\(request.tag)'"
    if request.noHeal == true {
      return JobError(.connection, "\(text). Its disks are left as they are (--no-heal)")
    }
    return Self.heal(request, machine, since: start, access: access, text: text)
  }

  /// Heals a machine's disks.
  ///
  /// - Returns: the error that the job ends with.
  static func heal(
    _ request: SnapshotRequest, _ machine: Machine, since start: Timestamp, access: ImageAccess,
    text: String
  ) -> JobError {
    do throws(JobError) {
      let healed = try Healing(request, on: machine, since: start, access: access).run()
      let end =
        request.operation == .load
        ? ". Some disks may be at '\(request.tag)' and others not: load a snapshot" : ""
      return JobError(.connection, "\(text). \(healed)\(end)")
    } catch {
      return JobError(
        .connection,
        "\(text). What it left could not be mended: \(error.message). Then: "
          + "\(NextStep(["check", "--repair", "all"], machine: machine.name)), and "
          + "\(machine.stepToDelete(request.tag, "--missing-ok"))")
    }
  }

  /// What a request would do to each disk of a running machine. Blocks.
  ///
  /// - Parameters:
  ///   - request: what is to be done.
  ///   - machine: the machine as the catalog has it.
  ///   - address: its monitor's.
  ///   - connector: the way to it.
  /// - Returns: the plan; nil if the machine is not running.
  /// - Throws: `JobError`: the error that the job would end with.
  public static func plan(
    _ request: SnapshotRequest, on machine: Machine, at address: String,
    through connector: LiveConnector
  ) throws(JobError) -> [NodePlan]? {
    guard let connection = try waiting(for: { try await connector.connect(address) }) else {
      return nil
    }
    let operation = LiveOperation(
      monitor: connection.endpoint, request: request, machine: machine)
    return try waiting {
      do {
        let plan = try await operation.makePlan()
        await connection.close()
        return plan.nodePlans(request)
      } catch {
        await connection.close()
        throw error
      }
    }
  }

  /// Takes a save back.
  fileprivate func takeBack() throws(JobError) {
    guard request.operation == .save else {
      throw JobError(
        .conflict, "the running machine has done it already, and it cannot be taken back")
    }
    var removal = SnapshotRequest(
      operation: .delete, tag: request.tag, devices: request.devices, vmstate: nil)
    removal.mustExist = true
    guard let connection = try connect() else {
      throw JobError(
        .connection,
        "the machine is not running any more. The snapshot '\(request.tag)' is left: "
          + "\(machine.stepToDelete(request.tag))")
    }
    let machine = machine
    try waiting { [removal] in
      do {
        _ = try await LiveOperation(
          monitor: connection.endpoint, request: removal, machine: machine
        ).run()
        await connection.close()
      } catch {
        await connection.close()
        throw error
      }
    }
  }
}

/// What QEMU has done for a job.
private struct DoneWork: PreparedWork {
  private let work: LiveSnapshotWork
  private let result: SnapshotResult

  init(_ work: LiveSnapshotWork, result: SnapshotResult) {
    self.work = work
    self.result = result
  }

  func undo() throws { try work.takeBack() }

  func finish() throws -> String? {
    String(decoding: try JSONEncoder().encode(result), as: UTF8.self)
  }

  func abandon() {}
}

extension LivePlan {
  /// What would happen to each disk, as sentences.
  fileprivate func nodePlans(_ request: SnapshotRequest) -> [NodePlan] {
    members.map { member in
      let keepsMemory = vmstate == member
      let action: String
      switch request.operation {
      case _ where isDone: action = "nothing to do"
      case .save:
        action =
          "the running machine saves '\(request.tag)'" + (keepsMemory ? ", with its memory" : "")
      case .load: action = "the running machine goes back to '\(request.tag)'"
      case .delete:
        let own = tags.filter { !member.snapshots(called: $0).isEmpty }
        action =
          own.isEmpty
          ? "nothing to do" : "the running machine deletes \(own.joined(separator: ", "))"
      }
      var plan = NodePlan(
        node: member.node.name.description, path: member.node.path, action: action,
        bytesToWrite: keepsMemory ? room?.needed ?? 0 : 0)
      if keepsMemory { plan.bytesFree = room?.free }
      plan.isLive = true
      return plan
    }
  }
}
