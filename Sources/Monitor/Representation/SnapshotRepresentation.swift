import Jobs
import QMP
import Qcow2
import SnapshotJobs

extension SnapshotListing {
  /// One tag of a machine, with what the catalog knows of the job that made it.
  func json(machine: String?, madeBy maker: SnapshotMaker?) -> QMPValue {
    var members: [QMPValue.Member] = [
      .init("machine", QMPValue(machine)), .init("tag", .string(tag)),
      .init("date", .string(RFC3339.text(seconds: dateSeconds))),
    ]
    if let note = maker?.note { members.append(.init("note", .string(note))) }
    if let job = maker?.job { members.append(.init("job", .string(job.description))) }
    members.append(.init("devices", .array(devices.map(\.json))))
    members.append(.init("complete", .bool(isComplete)))
    if !missingNodes.isEmpty {
      members.append(.init("missing", .array(missingNodes.map { .string($0.description) })))
    }
    if let space { members += space.members }
    return .object(members)
  }

  static let schema = SchemaObject(
    "SnapjobSnapshot",
    [
      .nullable("machine", .string), .required("tag", .string), .required("date", .string),
      .optional("note", .string), .optional("job", .string),
      .required("devices", .array(.object(Device.schema))), .required("complete", .boolean),
      .optional("missing", .array(.string)),
    ] + SnapshotSpace.schemaMembers)
}

extension ListedSnapshots {
  /// The type of the reply to `x-snapjob-survey`.
  static let schema = SchemaObject(
    "SnapjobSnapshotSurvey",
    [
      .required("snapshots", .array(.object(SnapshotListing.schema))),
      .required("failures", .array(.object(Failure.schema))),
    ])
}

extension ListedSnapshots.Failure {
  /// An image that could not be read.
  func json(machine: String?) -> QMPValue {
    [
      "machine": QMPValue(machine), "node": .string(node.name.description),
      "filename": .string(node.path), "problem": .string(error.message),
      "exit-code": .int(Int64(ExitCode(error.kind).rawValue)),
    ]
  }

  fileprivate static let schema = SchemaObject(
    "SnapjobUnreadImage",
    [
      .nullable("machine", .string), .required("node", .string), .required("filename", .string),
      .required("problem", .string), .required("exit-code", .integer),
    ])
}

extension SnapshotListing.Device {
  fileprivate var json: QMPValue {
    let members: [QMPValue.Member] = [
      .init("node", .string(node.description)), .init("id", .string(id)),
      .init("vm-state-size", QMPValue(vmStateSize)), .init("disk-size", QMPValue(diskSize)),
    ]
    return .object(
      members + (space?.members ?? []) + (hasMarker ? [.init("x-marker", .bool(true))] : []))
  }

  fileprivate static let schema = SchemaObject(
    "SnapjobSnapshotDevice",
    [
      .required("node", .string), .required("id", .string),
      .required("vm-state-size", .unsigned), .required("disk-size", .unsigned),
      .optional("x-marker", .boolean),
    ] + SnapshotSpace.schemaMembers)
}

extension SnapshotSpace {
  fileprivate var members: [QMPValue.Member] {
    [.init("used", QMPValue(used)), .init("referenced", QMPValue(referenced))]
  }

  fileprivate static let schemaMembers: [SchemaMember] = [
    .optional("used", .unsigned), .optional("referenced", .unsigned),
  ]
}

extension DiskDifferences {
  /// One element for each range.
  var json: [QMPValue] {
    ranges.map { range in
      [
        "node": .string(node.description), "offset": QMPValue(range.lowerBound),
        "length": QMPValue(range.upperBound - range.lowerBound),
      ]
    }
  }

  static let rangeSchema = SchemaObject(
    "SnapjobDiskRange",
    [.required("node", .string), .required("offset", .unsigned), .required("length", .unsigned)])
}

extension RetentionPolicy.Verdict {
  var json: QMPValue {
    ["tag": .string(tag), "action": isKept ? "keep" : "remove", "reason": .string(reason)]
  }

  static let schema = SchemaObject(
    "SnapjobVerdict",
    [
      .required("tag", .string),
      .required(
        "action", .enumeration(SchemaEnumeration("SnapjobPruneAction", ["keep", "remove"]))),
      .required("reason", .string),
    ])
}

extension NodePlan {
  var json: QMPValue {
    var members: [QMPValue.Member] = [
      .init("node", .string(node)), .init("filename", .string(path)),
      .init("action", .string(action)), .init("bytes-to-write", .int(bytesToWrite)),
      .init("bytes-to-free", .int(bytesToFree)),
    ]
    if isLive { members.append(.init("live", true)) }
    if let bytesFree { members.append(.init("bytes-free", .int(bytesFree))) }
    if let lastPauseNanoseconds {
      members.append(.init("expected-pause-ns", .int(lastPauseNanoseconds)))
    }
    return .object(members)
  }

  static let schema = SchemaObject(
    "SnapjobNodePlan",
    [
      .required("node", .string), .required("filename", .string), .required("action", .string),
      .required("bytes-to-write", .integer), .required("bytes-to-free", .integer),
      .optional("live", .boolean), .optional("bytes-free", .integer),
      .optional("expected-pause-ns", .integer),
    ])
}

extension QMPValue {
  /// A whole number.
  init(_ number: UInt64) {
    self = Int64(exactly: number).map { .int($0) } ?? .uint(number)
  }
}
