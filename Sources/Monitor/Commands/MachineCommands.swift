import FileNames
import Jobs
import QMP
import SnapshotJobs

extension CommandTable {
  /// The machines of the catalog.
  static let machineCommands: [Command] = [
    Command(
      "x-snapjob-machine-list",
      returns: .array(
        .object(
          SchemaObject([
            .required("name", .string), .required("nodes", .integer), .optional("vmstate", .string),
          ])))
    ) { _, context in
      .array(
        try context.services.machines.machines().map { machine in
          var members: [QMPValue.Member] = [
            .init("name", QMPValue(machine.name)), .init("nodes", .int(Int64(machine.nodes.count))),
          ]
          if let node = machine.vmstate {
            members.append(.init("vmstate", .string(node.description)))
          }
          return .object(members)
        })
    },

    Command(
      "x-snapjob-machine-show", [.optional("name", .string)], returns: .object(Machine.schema)
    ) { arguments, context in
      guard let name = arguments.string(ifPresent: "name") else {
        return try context.machine().json
      }
      return try context.services.machines.machine(named: name).json
    },

    Command(
      "x-snapjob-machine-add",
      [
        .required("name", .string),
        .required(
          "disks",
          .array(
            .object(
              SchemaObject([.optional("node-name", .string), .required("filename", .string)])))),
        .optional("qmp", .string),
      ]
    ) { arguments, context in
      let name = try arguments.string("name")
      let monitor = arguments.string(ifPresent: "qmp")
      // Whoever answers there says which files the disks are.
      if monitor != nil { try context.requireAllFiles(for: "to say where a machine's monitor is") }
      var nodes = try context.newNodes(try arguments.objects("disks"))
      if let monitor {
        nodes += try await context.services.live.disks(at: monitor).filter { found in
          !found.isExcluded
            && !nodes.contains { $0.path.hasSameBytes(as: found.path) || $0.name == found.name }
        }
      }
      let machines = context.services.machines
      try machines.addMachine(named: name)
      do throws(JobError) {
        for node in nodes { try machines.addNode(node, toMachine: name) }
        if let monitor { try machines.setMonitor(monitor, ofMachine: name) }
      } catch {
        try machines.removeMachine(named: name)
        throw error
      }
    },

    Command("x-snapjob-machine-remove", [.required("name", .string)]) { arguments, context in
      try context.services.machines.removeMachine(named: try arguments.string("name"))
    },

    Command(
      "x-snapjob-machine-set",
      [
        .required("name", .string), .optional("exclude", .string), .optional("include", .string),
        .optional("vmstate", .string),
        .optional(
          "rename",
          .object(SchemaObject([.required("old", .string), .required("new", .string)]))),
        .optional(
          "file",
          .object(SchemaObject([.required("node-name", .string), .required("filename", .string)]))),
      ]
    ) { arguments, context in
      let name = try arguments.string("name")
      if let node = arguments.string(ifPresent: "exclude") {
        try await context.registerRunningDisk(node, ofMachine: name)
      }
      let machine = try context.services.machines.machine(named: name)
      try context.apply(try MachineChange(arguments, to: machine, context), toMachine: name)
    },
  ]
}

extension CommandContext {
  /// A disk of the running machine that is to be left out need not be registered before.
  fileprivate func registerRunningDisk(_ node: String, ofMachine name: String) async throws {
    let machine = try services.machines.machine(named: name)
    guard let address = machine.monitor, machine.node(node) == nil else { return }
    let found = try await services.live.disks(at: address).first { $0.name.description == node }
    guard let found else { return }
    _ = try path(found.path)
    try services.machines.addNode(found, toMachine: name)
  }

  /// Nodes for a new machine; those without a name become `disk0`, `disk1`, ….
  fileprivate func newNodes(_ disks: [Arguments]) throws -> [Node] {
    let given = Set(disks.compactMap { $0.string(ifPresent: "node-name") })
    var freeNames = (0...).lazy.map { "disk\($0)" }.filter { !given.contains($0) }.makeIterator()
    var nodes: [Node] = []
    for disk in disks {
      let name = disk.string(ifPresent: "node-name") ?? freeNames.next() ?? ""
      let node = Node(
        name: try NodeName(name), path: try path(try disk.string("filename")))
      try checkNew(node, beside: nodes, of: nil)
      nodes.append(node)
    }
    return nodes
  }

  fileprivate func apply(_ change: MachineChange, toMachine machine: String) throws(JobError) {
    for (name, node) in change.replacements {
      try services.machines.replaceNode(name, with: node, inMachine: machine)
    }
    if let vmstate = change.vmstate {
      try services.machines.setVMState(vmstate, ofMachine: machine)
    }
  }
}

extension Machine {
  /// The machine as `x-snapjob-machine-show` tells of it.
  fileprivate var json: QMPValue {
    var members: [QMPValue.Member] = [.init("name", QMPValue(name))]
    if let monitor { members.append(.init("qmp", .string(monitor))) }
    if let vmstate { members.append(.init("vmstate", .string(vmstate.description))) }
    if let node = vmstate ?? coveredNodes.first?.name {
      members.append(.init("vmstate-node", .string(node.description)))
    }
    members.append(
      .init(
        "nodes",
        .array(
          nodes.map { node in
            [
              "node-name": .string(node.name.description), "filename": .string(node.path),
              "read-only": .bool(node.isReadOnly), "excluded": .bool(node.isExcluded),
            ]
          })))
    return .object(members)
  }

  fileprivate static let schema = SchemaObject(
    "SnapjobMachine",
    [
      .nullable("name", .string), .optional("qmp", .string), .optional("vmstate", .string),
      .optional("vmstate-node", .string),
      .required(
        "nodes",
        .array(
          .object(
            SchemaObject(
              "SnapjobNode",
              [
                .required("node-name", .string), .required("filename", .string),
                .required("read-only", .boolean), .required("excluded", .boolean),
              ])))),
    ])
}
