import FileNames
import Jobs
import QMP
import Qcow2
import SnapshotJobs

extension CommandTable {
  /// Persistent dirty bitmaps. What changes is permanent when the command returns; there are no jobs.
  static let bitmapCommands: [Command] =
    BitmapCommand.allCases.map { command in
      Command(command.rawValue, command.members) { arguments, context in
        let action = try command.action(arguments)
        try context.services.images.prepare([.bitmap(action)], on: try context.machine())
          .commit()
      }
    } + [
      Command(
        "x-snapjob-bitmap-repair", BitmapCommand.nodeAndName,
        returns: .object(SchemaObject([.required("repaired", .boolean)]))
      ) { arguments, context in
        let node = try context.bitmapNode(arguments)
        let name = try arguments.string("name")
        // What can be believed is left as it is; everything else is told by the change itself.
        let isConsistent = try context.services.images.bitmaps(of: node).contains {
          $0.bitmap.name.hasSameBytes(as: name) && $0.holder == nil && !$0.isInconsistent
        }
        if isConsistent { return ["repaired": false] }
        let action = BitmapAction.repair(node: node.name.description, name: name)
        try context.services.images.prepare([.bitmap(action)], on: try context.machine())
          .commit()
        return ["repaired": true]
      },

      Command(
        "x-debug-block-dirty-bitmap-sha256", BitmapCommand.nodeAndName,
        returns: .object(
          SchemaObject("BlockDirtyBitmapSha256", [.required("sha256", .string)])),
        features: ["unstable"]
      ) { arguments, context in
        let digest = try context.services.images.bitmapDigest(
          named: try arguments.string("name"), of: try context.bitmapNode(arguments))
        return ["sha256": .string(digest)]
      },

      Command(
        "x-snapjob-bitmap-list", [.optional("nodes", .array(.string))],
        returns: .array(.object(BitmapDescription.schema))
      ) { arguments, context in
        let machine = try context.machine()
        let nodes =
          try arguments.strings(ifPresent: "nodes").map { names throws(JobError) in
            try machine.nodes(named: names)
          } ?? machine.nodes
        if let running = try await context.runningBitmaps(of: machine, on: nodes) {
          return .array(running)
        }
        return .array(
          try nodes.flatMap { node in
            try context.services.images.bitmaps(of: node).map { $0.json(on: node) }
          })
      },

      Command(
        "x-snapjob-bitmap-ranges", BitmapCommand.nodeAndName,
        returns: .array(.object(DiskDifferences.rangeSchema))
      ) { arguments, context in
        let node = try context.bitmapNode(arguments)
        let ranges = try context.services.images.dirtyRanges(
          ofBitmap: try arguments.string("name"), on: node)
        return .array(DiskDifferences(node: node.name, ranges: ranges).json)
      },
    ]
}

extension CommandContext {
  /// The node whose bitmap is looked at.
  fileprivate func bitmapNode(_ arguments: Arguments) throws -> Node {
    let name = try arguments.string("node")
    guard let node = try machine().node(name) else { throw JobError.bitmapNodeNotFound(name) }
    return node
  }
}

/// QEMU's commands that change bitmaps, which are actions of `transaction` as well.
enum BitmapCommand: String, CaseIterable, Sendable {
  case add = "block-dirty-bitmap-add"
  case remove = "block-dirty-bitmap-remove"
  case clear = "block-dirty-bitmap-clear"
  case enable = "block-dirty-bitmap-enable"
  case disable = "block-dirty-bitmap-disable"
  case merge = "block-dirty-bitmap-merge"

  static let nodeAndName: [SchemaMember] = [
    .required("node", .string), .required("name", .string),
  ]

  /// The arguments, in the order in which QEMU checks them.
  var members: [SchemaMember] {
    switch self {
    case .add:
      Self.nodeAndName + [
        .optional("granularity", .unsigned32), .optional("persistent", .boolean),
        .optional("disabled", .boolean),
      ]
    case .remove, .clear, .enable, .disable: Self.nodeAndName
    case .merge:
      [
        .required("node", .string), .required("target", .string),
        .required(
          "bitmaps",
          .array(
            .alternate(
              SchemaAlternate(
                "BlockDirtyBitmapOrStr",
                [.string, .object(SchemaObject("BlockDirtyBitmap", Self.nodeAndName))])))),
      ]
    }
  }

  /// The action of checked arguments.
  ///
  /// - Throws: `JobError` for a bitmap that would be gone at once.
  func action(_ arguments: Arguments) throws -> BitmapAction {
    let node = try arguments.string("node")
    switch self {
    case .add: return try Self.addition(arguments, node)
    case .remove: return .remove(node: node, name: try arguments.string("name"))
    case .clear: return .clear(node: node, name: try arguments.string("name"))
    case .enable: return .enable(node: node, name: try arguments.string("name"))
    case .disable: return .disable(node: node, name: try arguments.string("name"))
    case .merge:
      return .merge(
        node: node, target: try arguments.string("target"),
        sources: try arguments.bitmapReferences("bitmaps"))
    }
  }

  private static func addition(_ arguments: Arguments, _ node: String) throws -> BitmapAction {
    let name = try arguments.string("name")
    guard arguments.flag("persistent") else {
      throw JobError(
        .usage,
        "Bitmap '\(name)' would be gone at once: the machine does not run, and what is not persistent is "
          + "nowhere kept. Add: \"persistent\": true")
    }
    return .add(
      node: node, name: name, granularity: arguments.unsigned(ifPresent: "granularity"),
      isEnabled: !arguments.flag("disabled"))
  }
}

extension Arguments {
  /// Bitmaps, each as its name or with its node.
  fileprivate func bitmapReferences(_ name: String) throws(QMPError) -> [BitmapReference] {
    guard case .array(let elements) = self[name] else {
      throw QMPError(.genericError, "Parameter '\(name)' is missing")
    }
    return try elements.map { element throws(QMPError) in
      switch element {
      case .string(let name): return BitmapReference(name: name)
      case .object(let members):
        let members = Arguments(members)
        return BitmapReference(
          node: try members.string("node"), name: try members.string("name"))
      default: throw QMPError(.genericError, "Parameter '\(name)' is not valid")
      }
    }
  }
}
