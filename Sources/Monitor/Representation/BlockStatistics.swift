import QMP
import SnapshotJobs

/// What `query-blockstats` tells of one node: nothing runs, so nothing was read or written.
struct BlockStatistics {
  let node: NodeName

  private static let counts = [
    "unmap_operations", "unmap_merged", "flush_total_time_ns", "wr_highest_offset",
    "wr_total_time_ns", "failed_wr_operations", "failed_rd_operations", "wr_merged", "wr_bytes",
    "failed_unmap_operations", "failed_flush_operations", "rd_total_time_ns",
    "invalid_unmap_operations", "flush_operations", "wr_operations", "unmap_bytes", "rd_merged",
    "rd_bytes", "unmap_total_time_ns", "invalid_flush_operations", "rd_operations",
    "invalid_wr_operations", "invalid_rd_operations",
  ]

  /// The numbers of a device that uses the node, or of the node alone.
  func json(asNode: Bool) -> QMPValue {
    let stats =
      Self.counts.map { QMPValue.Member($0, 0) } + [
        .init("timed_stats", []), .init("account_invalid", .bool(!asNode)),
        .init("account_failed", .bool(!asNode)),
      ]
    let device = asNode ? [] : [QMPValue.Member("device", "")]
    return .object(
      device + [.init("stats", .object(stats)), .init("node-name", .string(node.description))])
  }

  /// The type of ``json(asNode:)``.
  static let schema = SchemaObject(
    "BlockStats",
    [
      .optional("device", .string), .optional("node-name", .string),
      .required(
        "stats",
        .object(
          SchemaObject(
            "BlockDeviceStats",
            counts.map { .required($0, .integer) } + [
              .required("account_invalid", .boolean), .required("account_failed", .boolean),
              .required("timed_stats", .array(.any)),
            ]))),
    ])
}
