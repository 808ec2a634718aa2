import QMP
import Qcow2
import SnapshotJobs

extension Bitmap {
  /// The bitmap as `query-named-block-nodes` tells of it under `format-specific` (`Qcow2BitmapInfo` of
  /// qapi/block-core.json): what stands in the image.
  var json: QMPValue {
    var flags: [QMPValue] = []
    if state == .inUse { flags.append("in-use") }
    if isEnabled { flags.append("auto") }
    return [
      "flags": .array(flags), "name": .string(name), "granularity": QMPValue(granularity),
    ]
  }
}

extension BitmapDescription {
  /// The bitmap as `query-named-block-nodes` tells of it under `dirty-bitmaps` (`BlockDirtyInfo`). One that a
  /// running program records into is busy; how much it has recorded only that program knows.
  var blockDirtyInfo: QMPValue {
    var members: [QMPValue.Member] = [
      .init("name", .string(bitmap.name)), .init("recording", .bool(bitmap.isEnabled)),
      .init("persistent", true), .init("busy", .bool(holder != nil)),
      .init("granularity", QMPValue(bitmap.granularity)),
      .init("count", QMPValue(dirtyByteCount ?? 0)),
    ]
    if isInconsistent { members.append(.init("inconsistent", true)) }
    return .object(members)
  }

  /// The type of ``blockDirtyInfo``.
  static let blockDirtyInfoSchema = SchemaObject(
    "BlockDirtyInfo",
    [
      .optional("name", .string), .required("count", .integer),
      .required("granularity", .integer), .required("recording", .boolean),
      .required("busy", .boolean), .required("persistent", .boolean),
      .optional("inconsistent", .boolean),
    ])

  /// The bitmap with all that is known of it.
  func json(on node: Node) -> QMPValue {
    [
      "node": .string(node.name.description), "name": .string(bitmap.name),
      "granularity": QMPValue(bitmap.granularity), "enabled": .bool(bitmap.isEnabled),
      "state": .string(state), "dirty-bytes": dirtyByteCount.map { QMPValue($0) } ?? .null,
      "holder": QMPValue(holder), "persistent": true,
    ]
  }

  /// The same of a bitmap that a running QEMU tells of (`BlockDirtyInfo`).
  static func json(_ told: QMPValue, on node: Node) -> QMPValue {
    let isInconsistent = told.isTrue("inconsistent")
    return [
      "node": .string(node.name.description), "name": .string(told.text("name")),
      "granularity": .int(told.integer("granularity")),
      "enabled": .bool(told.isTrue("recording")),
      "state": isInconsistent ? "inconsistent" : "consistent",
      "dirty-bytes": isInconsistent ? .null : .int(told.integer("count")), "holder": .null,
      "persistent": .bool(told.isTrue("persistent")),
    ]
  }

  private var state: String {
    if holder != nil { return "in-use" }
    return switch bitmap.state {
    case .consistent: "consistent"
    case .inUse: "inconsistent"
    case .outdated: "outdated"
    }
  }

  /// The type of ``json(on:)``: `state` is `consistent`; `in-use` while `holder` records into it;
  /// `inconsistent` if a program was stopped while it did; `outdated` if a program that does not know bitmaps
  /// has written since.
  static let schema = SchemaObject(
    "SnapjobBitmap",
    [
      .required("node", .string), .required("name", .string),
      .required("granularity", .unsigned), .required("enabled", .boolean),
      .required(
        "state",
        .enumeration(
          SchemaEnumeration(
            "SnapjobBitmapState", ["consistent", "in-use", "inconsistent", "outdated"]))),
      .nullable("dirty-bytes", .unsigned), .nullable("holder", .string),
      .required("persistent", .boolean),
    ])
}
