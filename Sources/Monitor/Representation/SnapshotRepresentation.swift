import Jobs
import QMP
import SnapshotJobs

extension SnapshotListing {
  /// One tag of a machine, with what the catalog knows of the job that made it.
  func json(machine: String?, savedBy job: JobRecord?) -> QMPValue {
    var members: [QMPValue.Member] = [
      .init("machine", QMPValue(machine)), .init("tag", .string(tag)),
      .init("date", .string(RFC3339.text(seconds: dateSeconds))),
    ]
    if let note = job?.note { members.append(.init("note", .string(note))) }
    if let job { members.append(.init("job", .string(job.id.description))) }
    members.append(.init("devices", .array(devices.map(\.json))))
    members.append(.init("complete", .bool(isComplete)))
    return .object(members)
  }

  static let schema = SchemaObject(
    "SnapjobSnapshot",
    [
      .nullable("machine", .string), .required("tag", .string), .required("date", .string),
      .optional("note", .string), .optional("job", .string),
      .required("devices", .array(.object(Device.schema))), .required("complete", .boolean),
    ])
}

extension SnapshotListing.Device {
  fileprivate var json: QMPValue {
    [
      "node": .string(node.description), "id": .string(id),
      "vm-state-size": QMPValue(vmStateSize), "disk-size": QMPValue(diskSize),
    ]
  }

  fileprivate static let schema = SchemaObject(
    "SnapjobSnapshotDevice",
    [
      .required("node", .string), .required("id", .string),
      .required("vm-state-size", .unsigned), .required("disk-size", .unsigned),
    ])
}

extension NodePlan {
  var json: QMPValue {
    [
      "node": .string(node), "filename": .string(path), "action": .string(action),
      "bytes-to-write": .int(bytesToWrite),
    ]
  }

  static let schema = SchemaObject(
    "SnapjobNodePlan",
    [
      .required("node", .string), .required("filename", .string), .required("action", .string),
      .required("bytes-to-write", .integer),
    ])
}

extension QMPValue {
  /// A whole number.
  init(_ number: UInt64) {
    self = Int64(exactly: number).map { .int($0) } ?? .uint(number)
  }
}
