import Jobs
import QMP
import SnapshotJobs

/// What `x-snapjob-machine-set` is to change, checked as a whole before anything is changed.
struct MachineChange {
  /// Nodes by the names that they have now, each with what replaces it.
  private(set) var replacements: [(name: NodeName, node: Node)] = []
  /// The node that is to keep device state; nil if that does not change.
  private(set) var vmstate: NodeName?

  /// Reads the change out of checked arguments. Nodes go by their old names in all of them, except
  /// that `vmstate` may use the new one.
  init(_ arguments: Arguments, to machine: Machine, _ context: CommandContext) throws {
    var changed: [NodeName: Node] = [:]
    func change(_ name: String, _ edit: (Node) throws -> Node) throws {
      guard let node = machine.node(name) else {
        throw JobError.nodeNotFound(name, on: machine.name)
      }
      changed[node.name] = try edit(changed[node.name] ?? node)
    }
    if let name = arguments.string(ifPresent: "exclude") {
      try change(name) { $0.with(isExcluded: true) }
    }
    if let name = arguments.string(ifPresent: "include") {
      try change(name) { $0.with(isExcluded: false) }
    }
    if let file = arguments.object(ifPresent: "file") {
      let path = try context.path(try file.string("filename"))
      try change(try file.string("node-name")) { node in
        let others = machine.nodes.filter { $0.name != node.name }
        try context.checkNew(node.with(path: path), beside: others, of: machine.name)
        return node.with(path: path)
      }
    }
    if let rename = arguments.object(ifPresent: "rename") {
      let new = try NodeName(try rename.string("new"))
      try change(try rename.string("old")) { node in
        if new != node.name, machine.node(new.description) != nil {
          throw JobError(.conflict, "Duplicate nodes with node-name='\(new)'")
        }
        if machine.vmstate == node.name { vmstate = new }
        return node.with(name: new)
      }
    }
    // In the machine's order, so that the same request always does the same.
    replacements = machine.nodes.compactMap { node in changed[node.name].map { (node.name, $0) } }
    if let name = arguments.string(ifPresent: "vmstate") {
      let nodes = machine.nodes.map { changed[$0.name] ?? $0 }
      guard let node = nodes.first(where: { $0.name.description == name }) else {
        throw JobError.nodeNotFound(name, on: machine.name)
      }
      vmstate = node.name
    }
  }
}

extension JobError {
  /// No node of that name, in QEMU's words.
  static func nodeNotFound(_ name: String, on machine: String?) -> JobError {
    JobError(
      .notFound,
      "Failed to find node with node-name='\(name)'. See: "
        + "\(NextStep(["node", "list"], machine: machine))")
  }
}

extension Node {
  fileprivate func with(
    name: NodeName? = nil, path: String? = nil, isExcluded: Bool? = nil
  ) -> Node {
    Node(
      name: name ?? self.name, path: path ?? self.path, isReadOnly: isReadOnly,
      isExcluded: isExcluded ?? self.isExcluded)
  }
}
