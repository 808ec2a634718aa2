import GRDB
public import Jobs
public import SnapshotJobs

extension Catalog: MachineStore {
  /// All machines; `default` first, then by name.
  public func machines() throws(JobError) -> [Machine] {
    try database.read { db in try MachineTable(db).machines() }
  }

  /// One machine.
  public func machine(named name: String) throws(JobError) -> Machine {
    try database.read { db in try MachineTable(db).machine(named: name) }
  }

  /// Adds a machine without nodes.
  public func addMachine(named name: String) throws(JobError) {
    try database.write { db in try MachineTable(db).add(name) }
  }

  /// Forgets a machine and its nodes; `default` cannot be removed (conflict).
  public func removeMachine(named name: String) throws(JobError) {
    try database.write { db in try MachineTable(db).remove(name) }
  }

  /// Says where the machine's monitor listens while it runs.
  public func setMonitor(_ address: String?, ofMachine name: String) throws(JobError) {
    try database.write { db in try MachineTable(db).setMonitor(address, of: name) }
  }

  /// Chooses the node that keeps device state; it must be one of the machine's nodes.
  public func setVMState(_ node: NodeName?, ofMachine name: String) throws(JobError) {
    try database.write { db in try MachineTable(db).setVMState(node, of: name) }
  }

  /// Adds a node at the end.
  public func addNode(_ node: Node, toMachine name: String) throws(JobError) {
    try database.write { db in try MachineTable(db).add(node, to: name) }
  }

  /// Replaces a node at its place; the choice of the device-state node follows a new name.
  public func replaceNode(
    _ name: NodeName, with node: Node, inMachine machine: String
  ) throws(JobError) {
    try database.write { db in try MachineTable(db).replace(name, with: node, in: machine) }
  }

  /// Forgets a node, and the choice of it as the device-state node.
  public func removeNode(_ name: NodeName, fromMachine machine: String) throws(JobError) {
    try database.write { db in try MachineTable(db).remove(name, from: machine) }
  }
}
