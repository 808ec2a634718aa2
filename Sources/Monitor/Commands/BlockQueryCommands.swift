import QMP
import SnapshotJobs

extension CommandTable {
  /// What tells of the machine's disks as devices.
  ///
  /// A stored machine has no devices: each node is told of as QEMU tells of a `-blockdev` that a
  /// device uses, without what the device alone knows (`qdev`, `io-status`).
  static let blockQueryCommands: [Command] = [
    Command("query-block", returns: .array(.object(blockInfo))) { _, context in
      .array(
        try context.machine().nodes.map { node in
          [
            "device": "", "locked": false, "removable": false,
            "inserted": context.blockDeviceInfo(of: node), "type": "unknown",
          ]
        })
    },

    Command(
      "query-blockstats", [.optional("query-nodes", .boolean)],
      returns: .array(.object(BlockStatistics.schema))
    ) { arguments, context in
      let isByNode = arguments.flag("query-nodes")
      return .array(
        try context.machine().nodes.map { BlockStatistics(node: $0.name).json(asNode: isByNode) })
    },
  ]

  private static let blockInfo = SchemaObject(
    "BlockInfo",
    [
      .required("device", .string), .required("type", .string), .required("removable", .boolean),
      .required("locked", .boolean), .optional("inserted", .object(NodeDescription.schema)),
    ])
}
