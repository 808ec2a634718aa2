public import Jobs
import QMP
public import SnapshotJobs

/// The disks of machines that run, for recovery: it finds machines that were started on the disks of an
/// unfinished commit.
public struct RunningDisks: RunningMachineCare {
  private let machines: any MachineStore
  private let connector: LiveConnector

  /// Makes the way to them.
  ///
  /// - Parameters:
  ///   - machines: where the addresses of their monitors are kept.
  ///   - connector: the way to these.
  public init(_ machines: any MachineStore, through connector: LiveConnector) {
    self.machines = machines
    self.connector = connector
  }

  /// The names of the snapshots on each of some disks.
  public func snapshotNames(
    on paths: [String], ofMachine machine: String
  ) throws(JobError) -> [[String]]? {
    try use(machine) { monitor in
      try await Self.disks(paths, monitor)?.map { $0.snapshots.map(\.name) }
    }
  }

  /// Removes a snapshot wherever it is on some disks.
  public func removeSnapshot(
    _ tag: String, on paths: [String], ofMachine machine: String
  ) throws(JobError) {
    let isDone = try use(machine) { monitor -> Bool? in
      guard let disks = try await Self.disks(paths, monitor) else { return nil }
      let outcome = try await QEMUJob(nil, on: monitor).run(
        SnapshotRequest.Operation.delete.rawValue,
        [.init("tag", .string(tag)), .init("devices", .list(disks.map(\.node)))])
      if let error = outcome.error { throw JobError(.general, error) }
      return true
    }
    guard isDone != nil else {
      throw JobError(.connection, "\(machine): the machine does not run any more")
    }
  }

  /// The writable disks behind some paths, in their order; nil unless all are there.
  private static func disks(
    _ paths: [String], _ monitor: any QMPEndpoint
  ) async throws -> [LiveDisk]? {
    let disks = try await DiskScan(monitor).disks
    let found = paths.compactMap { path in
      disks.first { $0.canTakeSnapshots && $0.isFile(path) }
    }
    return found.count == paths.count ? found : nil
  }

  /// Uses the monitor of a machine; nil if it has none, or nobody listens there.
  private func use<Value: Sendable>(
    _ machine: String, _ body: @escaping @Sendable (any QMPEndpoint) async throws -> Value?
  ) throws(JobError) -> Value? {
    guard let address = try machines.machine(named: machine).monitor else { return nil }
    let connector = connector
    return try waiting {
      guard let connection = try await connector.connect(address) else { return nil }
      do {
        let value = try await body(connection.endpoint)
        await connection.close()
        return value
      } catch {
        await connection.close()
        throw error
      }
    }
  }
}
