import FileNames
import Jobs
import QMP
import Qcow2
import SnapshotJobs

extension CommandTable {
  /// The nodes of the machine, and new images.
  static let blockCommands: [Command] = [
    Command(
      "query-named-block-nodes", [.optional("flat", .boolean)],
      returns: .array(.object(NodeDescription.schema))
    ) { _, context in
      // Newest first, as in QEMU. Nothing is nested: backing files are never opened.
      .array(try context.machine().nodes.reversed().map { context.blockDeviceInfo(of: $0) })
    },

    Command("blockdev-add", BlockNodeOptions.members) { arguments, context in
      let machine = try context.storedName()
      guard let name = arguments.string(ifPresent: "node-name") else {
        throw QMPError(.genericError, "'node-name' must be specified for the root node")
      }
      guard let file = arguments.object(ifPresent: "file") else {
        let reference = try arguments.string("file")
        throw JobError(
          .notFound, "Cannot find device='\(reference)' nor node-name='\(reference)'")
      }
      let node = Node(
        name: try NodeName(name), path: try context.path(try file.string("filename")),
        isReadOnly: arguments.flag("read-only"))
      try context.checkNew(
        node, beside: try context.machine().nodes, of: context.machineName)
      try context.services.machines.addNode(node, toMachine: machine)
    },

    Command("blockdev-del", [.required("node-name", .string)]) { arguments, context in
      let machine = try context.storedName()
      let name = try context.machine().nodeName(try arguments.string("node-name"))
      try context.services.machines.removeNode(name, fromMachine: machine)
    },

    Command(
      "blockdev-create",
      [
        .required("job-id", .string), .required("options", .object(creationSchema)),
        .optional("x-node-name", .string),
      ]
    ) { arguments, context in
      // The node that the image is to become: a name that cannot be had must leave no file behind.
      if let name = arguments.string(ifPresent: "x-node-name") {
        try context.checkNew(
          try NodeName(name), beside: try context.machine().nodes, of: context.machineName)
      }
      let options = JobOptions(id: try JobID(try arguments.string("job-id")))
      let request = try ImageCreation(try arguments.object("options"), context)
      let work = ImageCreationWork(request: request, images: context.services.images)
      try await context.start("create", request, options, work: work)
    },
  ]

  private static let newFile = SchemaObject([
    .required("driver", .enumeration(SchemaEnumeration("BlockdevDriver", ["file"]))),
    .required("filename", .string),
  ])

  private static let creationSchema = SchemaObject(
    "BlockdevCreateOptions",
    [
      .required("driver", .enumeration(SchemaEnumeration("BlockdevDriver", ["qcow2"]))),
      .required("file", .object(newFile)),
      .required("size", .unsigned),
      .optional(
        "version", .enumeration(SchemaEnumeration("BlockdevQcow2Version", ["v2", "v3"]))),
      .optional("cluster-size", .unsigned),
      .optional("refcount-bits", .unsigned),
    ])
}

extension CommandContext {
  /// A node with its image and bitmaps; of an image that cannot be read, why.
  func blockDeviceInfo(of node: Node) -> QMPValue {
    services.images.describe(node).json(
      bitmaps: (try? services.images.bitmaps(of: node)) ?? [])
  }

  /// Checks that a node's name is not taken.
  ///
  /// - Parameters:
  ///   - name: the name.
  ///   - nodes: those that are there.
  ///   - machine: the machine that has them already; nil for one that is being made.
  /// - Throws: `JobError`, a conflict with QEMU's text.
  func checkNew(
    _ name: NodeName, beside nodes: [Node], of machine: String?
  ) throws(JobError) {
    if nodes.contains(where: { $0.name == name }) {
      let removal = machine.map {
        ", or: \(NextStep(["node", "remove", name.description], machine: $0))"
      }
      throw JobError(
        .conflict,
        "Duplicate nodes with node-name='\(name)'. Choose another name\(removal ?? "")")
    }
  }

  /// Checks that a node can be added: its name and its file are new, and the file is an image.
  func checkNew(_ node: Node, beside nodes: [Node], of machine: String?) throws(JobError) {
    try checkNew(node.name, beside: nodes, of: machine)
    if let other = nodes.first(where: { $0.path.hasSameBytes(as: node.path) }) {
      throw JobError(.conflict, "\(node.path) is node '\(other.name)' of this machine already")
    }
    guard let problem = services.images.describe(node).problem else { return }
    guard problem.kind == .notFound else { throw problem }
    throw JobError(.notFound, "Could not open '\(node.path)': No such file or directory")
  }
}

extension Machine {
  /// The name of a node that exists.
  ///
  /// - Throws: not found, with QEMU's text.
  func nodeName(_ name: String) throws(JobError) -> NodeName {
    guard let node = node(name) else { throw .nodeNotFound(name, on: self.name) }
    return node.name
  }
}
