import FoundationEssentials
public import Jobs
public import SnapshotJobs

/// A snapshot job on a machine that may be running: done by QEMU if it is, on the files if it is not.
public struct LiveSnapshotWork: JobWork {
  private let request: SnapshotRequest
  private let machine: Machine
  private let address: String
  private let connector: LiveConnector
  private let stored: any JobWork

  /// Makes the work of one job; nobody is asked for anything yet.
  ///
  /// - Parameters:
  ///   - request: what is to be done.
  ///   - machine: the machine as the catalog has it.
  ///   - address: its monitor's.
  ///   - connector: the way to it.
  ///   - stored: the same work on the machine's files.
  public init(
    _ request: SnapshotRequest, machine: Machine, address: String, connector: LiveConnector,
    stored: any JobWork
  ) {
    self.request = request
    self.machine = machine
    self.address = address
    self.connector = connector
    self.stored = stored
  }

  /// Does it. What QEMU does is done by then: it has no half that could be undone but a save.
  ///
  /// - Throws: `JobError`.
  public func prepare(_ control: JobControl) throws -> any PreparedWork {
    let (connector, address) = (connector, address)
    guard let connection = try waiting(for: { try await connector.connect(address) }) else {
      return try stored.prepare(control)
    }
    let operation = LiveOperation(
      monitor: connection.endpoint, request: request, machine: machine)
    let result = try waiting {
      do {
        try control.checkpoint()
        let result = try await operation.run()
        await connection.close()
        return result
      } catch {
        await connection.close()
        throw error
      }
    }
    return DoneWork(self, result: result)
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
        let memory = plan.vmstate == nil ? 0 : try await operation.memoryByteCount()
        await connection.close()
        return plan.nodePlans(request, memoryByteCount: memory)
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
    let (connector, address, machine) = (connector, address, machine)
    try waiting { [removal] in
      guard let connection = try await connector.connect(address) else {
        throw JobError(
          .connection,
          "the machine is not running any more. The snapshot '\(removal.tag)' is left: snapjob -m "
            + "\(machine.label) delete --tag \(removal.tag)")
      }
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
  fileprivate func nodePlans(
    _ request: SnapshotRequest, memoryByteCount: Int64
  ) -> [NodePlan] {
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
      return NodePlan(
        node: member.node.name.description, path: member.node.path, action: action,
        bytesToWrite: request.operation == .save && keepsMemory ? memoryByteCount : 0)
    }
  }
}
