public import Jobs

/// Where machines and nodes are kept.
///
/// Calls are synchronous, short and durable enough to survive the end of the process.
public protocol MachineStore: Sendable {
  /// All machines; `default` first, even when nothing was ever added to it, then by name.
  func machines() throws(JobError) -> [Machine]
  /// One machine.
  ///
  /// - Throws: `JobError` (not found) naming the machine and the command that adds one.
  ///   `default` is always found.
  func machine(named name: String) throws(JobError) -> Machine
  /// Adds a machine without nodes. Throws a conflict if the name is taken.
  func addMachine(named name: String) throws(JobError)
  /// Forgets a machine and its nodes; its jobs stay in the history. Throws in use while one of its
  /// jobs is not concluded, and a conflict while a commit record of its images is open.
  func removeMachine(named name: String) throws(JobError)
  /// Says where the machine's monitor listens while it runs; nil for a machine that is files only.
  func setMonitor(_ address: String?, ofMachine name: String) throws(JobError)

  /// Chooses the node that keeps device state; nil for the first.
  func setVMState(_ node: NodeName?, ofMachine name: String) throws(JobError)
  /// Adds a node at the end. Throws a conflict (`Duplicate nodes with node-name='<name>'`) if the
  /// name is taken.
  func addNode(_ node: Node, toMachine name: String) throws(JobError)
  /// Replaces the node of this name by another of its name or a new one, at the same place.
  func replaceNode(_ name: NodeName, with node: Node, inMachine machine: String) throws(JobError)
  /// Forgets a node; the file is not touched. Throws not found with QEMU's text
  /// `Failed to find node with node-name='<name>'`.
  func removeNode(_ name: NodeName, fromMachine machine: String) throws(JobError)
}
