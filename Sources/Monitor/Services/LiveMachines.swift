public import Jobs
public import SnapshotJobs

/// What commands ask of machines that may be running as virtual machines.
public protocol LiveMachines: Sendable {
  /// The writable disks of the machine whose monitor listens at an address. Those that cannot take part in
  /// snapshots are marked as excluded.
  ///
  /// - Throws: `JobError` of kind `connection` if it is not running or cannot be asked.
  func disks(at address: String) async throws(JobError) -> [Node]

  /// The work of a snapshot job on a machine with a monitor; `stored` is the same on its files.
  func work(
    _ request: SnapshotRequest, on machine: Machine, at address: String, stored: any JobWork
  ) -> any JobWork

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
    _ request: SnapshotRequest, on machine: Machine, at address: String, stored: any JobWork
  ) -> any JobWork { stored }

  /// It is not running.
  public func plan(
    _ request: SnapshotRequest, on machine: Machine, at address: String
  ) throws(JobError) -> [NodePlan]? { nil }
}
