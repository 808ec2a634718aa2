import Jobs
import SnapshotJobs
import Synchronization

/// Machines in memory.
final class MemoryMachines: MachineStore {
  private let state = Mutex<[Machine]>([Machine(name: Machine.defaultName, nodes: [])])

  func machines() throws(JobError) -> [Machine] { state.withLock { state in state } }

  func machine(named name: String) throws(JobError) -> Machine {
    guard let machine = try machines().first(where: { $0.name == name }) else {
      throw JobError(
        .notFound, "There is no machine '\(name)'. Add it: \(NextStep("machine", "add", name))")
    }
    return machine
  }

  func addMachine(named name: String) throws(JobError) {
    try state.withLock { state throws(JobError) in
      if state.contains(where: { $0.name == name }) {
        throw JobError(.conflict, "There is a machine '\(name)' already")
      }
      state.append(Machine(name: name, nodes: []))
    }
  }

  func removeMachine(named name: String) throws(JobError) {
    _ = try machine(named: name)
    state.withLock { state in state.removeAll { $0.name == name } }
  }

  func setMonitor(_ address: String?, ofMachine name: String) throws(JobError) {
    try change(name) { machine in
      Machine(name: name, nodes: machine.nodes, vmstate: machine.vmstate, monitor: address)
    }
  }

  func setVMState(_ node: NodeName?, ofMachine name: String) throws(JobError) {
    try change(name) { machine in
      Machine(name: name, nodes: machine.nodes, vmstate: node, monitor: machine.monitor)
    }
  }

  func addNode(_ node: Node, toMachine name: String) throws(JobError) {
    try change(name) { machine throws(JobError) in
      if machine.node(node.name.description) != nil {
        throw JobError(.conflict, "Duplicate nodes with node-name='\(node.name)'")
      }
      return Machine(
        name: name, nodes: machine.nodes + [node], vmstate: machine.vmstate,
        monitor: machine.monitor)
    }
  }

  func replaceNode(
    _ name: NodeName, with node: Node, inMachine machine: String
  ) throws(JobError) {
    try change(machine) { old in
      Machine(
        name: machine, nodes: old.nodes.map { $0.name == name ? node : $0 }, vmstate: old.vmstate,
        monitor: old.monitor)
    }
  }

  func removeNode(_ name: NodeName, fromMachine machine: String) throws(JobError) {
    try change(machine) { old in
      Machine(
        name: machine, nodes: old.nodes.filter { $0.name != name }, vmstate: old.vmstate,
        monitor: old.monitor)
    }
  }

  private func change(
    _ name: String, _ edit: (Machine) throws(JobError) -> Machine
  ) throws(JobError) {
    try state.withLock { state throws(JobError) in
      guard let index = state.firstIndex(where: { $0.name == name }) else {
        throw JobError(.notFound, "There is no machine '\(name)'")
      }
      state[index] = try edit(state[index])
    }
  }
}
