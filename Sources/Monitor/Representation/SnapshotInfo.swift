import QMP
import Qcow2

/// One entry of a snapshot table (`SnapshotInfo` of qapi/block-core.json).
extension Snapshot {
  private static let nanosecondsPerSecond: UInt64 = 1_000_000_000

  /// The snapshot as QMP tells of it, in the order in which QEMU 7.2 writes it.
  var json: QMPValue {
    var members: [QMPValue.Member] = []
    if let icount { members.append(.init("icount", QMPValue(icount))) }
    let clock = vmClockNanoseconds.quotientAndRemainder(dividingBy: Self.nanosecondsPerSecond)
    members += [
      .init("vm-clock-nsec", QMPValue(clock.remainder)), .init("name", .string(name)),
      .init("date-sec", .int(Int64(dateSeconds))), .init("date-nsec", .int(Int64(dateNanoseconds))),
      .init("vm-clock-sec", QMPValue(clock.quotient)), .init("id", .string(id)),
      .init("vm-state-size", QMPValue(vmStateSize)),
    ]
    return .object(members)
  }

  /// The type of ``json``.
  static let schema = SchemaObject(
    "SnapshotInfo",
    [
      .required("id", .string), .required("name", .string),
      .required("vm-state-size", .unsigned), .required("date-sec", .integer),
      .required("date-nsec", .integer), .required("vm-clock-sec", .unsigned),
      .required("vm-clock-nsec", .unsigned), .optional("icount", .unsigned),
    ])
}
