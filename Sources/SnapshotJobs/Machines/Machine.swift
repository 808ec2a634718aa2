public import Jobs

/// A named set of nodes whose disks are files, and which may be running as a virtual machine.
public struct Machine: Sendable, Hashable {
  /// The one that exists without being added.
  public static let defaultName = "default"

  /// Its name; nil for the one-off machine that `--file` makes.
  public let name: String?
  /// Its nodes in the order in which they were added.
  public let nodes: [Node]
  /// The node that keeps device state, if the user has chosen one.
  public let vmstate: NodeName?

  /// The address of its monitor, where it listens while it runs as a virtual machine; nil for a machine
  /// that is files only.
  public let monitor: String?

  /// Makes a machine.
  public init(name: String?, nodes: [Node], vmstate: NodeName? = nil, monitor: String? = nil) {
    self.name = name
    self.nodes = nodes
    self.vmstate = vmstate
    self.monitor = monitor
  }

  /// The node with this name; nil if there is none.
  public func node(_ name: String) -> Node? {
    nodes.first { $0.name.description == name }
  }

  /// The nodes with these names, in the names' order.
  ///
  /// - Parameter names: node names.
  /// - Returns: the nodes.
  /// - Throws: `JobError` (not found) for a name that no node has, with QEMU's text.
  public func nodes(named names: [String]) throws(JobError) -> [Node] {
    try names.map { name throws(JobError) in
      guard let node = node(name) else {
        throw JobError(.notFound, "No block device node '\(name)'. \(nodesAdvice)")
      }
      return node
    }
  }

  /// What shows which nodes there are.
  var nodesAdvice: String {
    if name == nil { return "There are: " + nodes.map(\.name.description).joined(separator: ", ") }
    return "See: \(NextStep("node", "list"))"
  }

  /// The nodes that a job without a device list covers: all writable ones that are not excluded.
  public var coveredNodes: [Node] {
    nodes.filter { !$0.isReadOnly && !$0.isExcluded }
  }
}
