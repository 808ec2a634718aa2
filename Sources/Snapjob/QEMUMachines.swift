import Jobs
import LiveMachine
import Monitor
import QMP
import SnapshotJobs

/// Machines that run in QEMU, reached over their monitors' sockets.
struct QEMUMachines: LiveMachines {
  private let connector: LiveConnector

  /// Makes the way to them.
  ///
  /// - Parameter access: connects; a missing socket and a refused connection alone mean that a machine is
  ///   not running.
  init(_ access: MonitorAccess) {
    connector = LiveConnector { address throws(QMPError) in
      try await access.connect(to: address)
    }
  }

  func disks(at address: String) async throws(JobError) -> [Node] {
    try await MachineDiscovery(connector).disks(at: address)
  }

  func work(
    _ request: SnapshotRequest, on machine: Machine, at address: String, access: ImageAccess
  ) -> any JobWork {
    LiveSnapshotWork(
      request, machine: machine, address: address, connector: connector, access: access)
  }

  func work(
    _ request: DeviceStateRequest, on machine: Machine, at address: String, access: ImageAccess
  ) -> any JobWork {
    LiveStateWork(
      request, machine: machine, address: address, connector: connector, access: access)
  }

  func execute(
    _ command: String, _ arguments: QMPValue?, at address: String
  ) async throws(QMPError) -> QMPValue? {
    guard let connection = try await connector.connect(address) else { return nil }
    let outcome: Result<QMPValue, QMPError>
    do throws(QMPError) {
      let checked = try HarmfulCommand.check(command, arguments)
      outcome = .success(try await connection.endpoint.execute(command, checked))
    } catch {
      outcome = .failure(error)
    }
    await connection.close()
    return try outcome.get()
  }

  func blockNodes(
    of machine: Machine, at address: String
  ) async throws(QMPError) -> [String: String]? {
    try await MachineDiscovery(connector).blockNodes(of: machine, at: address)
  }

  /// Looks after a job that a running machine was at when its process ended.
  func care(
    for record: JobRecord, machines: any MachineStore, access: ImageAccess
  ) -> Recovery.OrphanOutcome? {
    guard let name = record.subject, let machine = try? machines.machine(named: name) else {
      return nil
    }
    return OrphanedLiveJob(record, machine: machine)?.settle(through: connector, access: access)
  }

  func plan(
    _ request: SnapshotRequest, on machine: Machine, at address: String
  ) throws(JobError) -> [NodePlan]? {
    try LiveSnapshotWork.plan(request, on: machine, at: address, through: connector)
  }
}
