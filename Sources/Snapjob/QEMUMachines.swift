import Jobs
import LiveMachine
import Monitor
import QMP
import QMPTransport
import SnapshotJobs

/// Machines that run in QEMU, reached over their monitors' sockets.
struct QEMUMachines: LiveMachines {
  /// Connects; a missing socket and a refused connection alone mean that a machine is not running.
  private static let connector = LiveConnector { address throws(QMPError) in
    guard let client = try await QMPClient.connectIfListening(to: try QMPAddress(address)) else {
      return nil
    }
    return LiveConnection(endpoint: client, close: { await client.close() })
  }

  func disks(at address: String) async throws(JobError) -> [Node] {
    try await MachineDiscovery(Self.connector).disks(at: address)
  }

  func work(
    _ request: SnapshotRequest, on machine: Machine, at address: String, stored: any JobWork
  ) -> any JobWork {
    LiveSnapshotWork(
      request, machine: machine, address: address, connector: Self.connector, stored: stored)
  }

  func plan(
    _ request: SnapshotRequest, on machine: Machine, at address: String
  ) throws(JobError) -> [NodePlan]? {
    try LiveSnapshotWork.plan(request, on: machine, at: address, through: Self.connector)
  }
}
