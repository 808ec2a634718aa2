public import Jobs
public import QMP
public import SnapshotJobs

/// What commands ask of machines that may be running as virtual machines.
public protocol LiveMachines: Sendable {
  /// The writable disks of the machine whose monitor listens at an address. Those that cannot take part in
  /// snapshots are marked as excluded.
  ///
  /// - Throws: `JobError` of kind `connection` if it is not running or cannot be asked.
  func disks(at address: String) async throws(JobError) -> [Node]

  /// The work of a snapshot job on a machine with a monitor.
  func work(
    _ request: SnapshotRequest, on machine: Machine, at address: String, access: ImageAccess
  ) -> any JobWork

  /// The work of a job on the device state of a machine with a monitor.
  func work(
    _ request: DeviceStateRequest, on machine: Machine, at address: String, access: ImageAccess
  ) -> any JobWork

  /// Executes one of QEMU's own commands on the running machine; nil if it is not running.
  func execute(
    _ command: String, _ arguments: QMPValue?, at address: String
  ) async throws(QMPError) -> QMPValue?

  /// The names that the running machine's QEMU has for a machine's disks, by their own; disks that it does not
  /// have are left out. Nil if it is not running.
  func blockNodes(
    of machine: Machine, at address: String
  ) async throws(QMPError) -> [String: String]?

  /// What a request would do to each disk; nil if the machine is not running. Blocks.
  func plan(
    _ request: SnapshotRequest, on machine: Machine, at address: String
  ) throws(JobError) -> [NodePlan]?
}

/// No way to running machines: all are files.
public struct NoLiveMachines: LiveMachines {
  /// Makes it.
  public init() {}

  /// There is none.
  public func disks(at address: String) async throws(JobError) -> [Node] {
    throw JobError(.connection, "\(address): running machines cannot be reached from here")
  }

  /// The work on the files.
  public func work(
    _ request: SnapshotRequest, on machine: Machine, at address: String, access: ImageAccess
  ) -> any JobWork { SnapshotWork(request, machine: machine, access: access) }

  /// The work on the files.
  public func work(
    _ request: DeviceStateRequest, on machine: Machine, at address: String, access: ImageAccess
  ) -> any JobWork {
    switch request.operation {
    case .save: DeviceStateSaving(request, machine: machine, access: access)
    case .load: DeviceStateLoading(request, machine: machine, access: access)
    }
  }

  /// It is not running.
  public func execute(
    _ command: String, _ arguments: QMPValue?, at address: String
  ) async throws(QMPError) -> QMPValue? { nil }

  /// It is not running.
  public func blockNodes(
    of machine: Machine, at address: String
  ) async throws(QMPError) -> [String: String]? { nil }

  /// It is not running.
  public func plan(
    _ request: SnapshotRequest, on machine: Machine, at address: String
  ) throws(JobError) -> [NodePlan]? { nil }
}
