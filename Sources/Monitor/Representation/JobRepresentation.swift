import DeviceState
import FoundationEssentials
import Jobs
import QMP
import SnapshotJobs

extension QMPValue {
  /// Text, or `null`.
  init(_ text: String?) { self = text.map { .string($0) } ?? .null }

  /// A moment as text, or `null`.
  fileprivate init(_ time: Timestamp?) { self.init(time.map { RFC3339.text($0) }) }
}

/// A job as QMP tells of it: the only place where a `JobRecord` becomes JSON.
extension JobRecord {
  /// `JobInfo` of qapi/job.json, in the order in which QEMU 7.2 writes it.
  var infoMembers: [QMPValue.Member] {
    var members: [QMPValue.Member] = [
      .init("current-progress", .int(progress.current)),
      .init("status", .string(status.rawValue)),
      .init("total-progress", .int(progress.total)),
      .init("type", .string(type)),
      .init("id", .string(id.description)),
    ]
    if let error { members.append(.init("error", .string(error.message))) }
    return members
  }

  /// The machine's name; null for a job on files.
  var machineMember: QMPValue.Member { .init("machine", QMPValue(subject)) }

  /// Everything that the catalog keeps of the job.
  var json: QMPValue {
    let request = snapshotRequest
    let stateTag = deviceStateRequest?.tag
    return .object(
      infoMembers + [
        machineMember,
        .init("tag", QMPValue(request?.tag ?? stateTag)),
        .init(
          "devices", .array((request?.devices ?? bitmapDevices).map { .string($0) })),
        .init("vmstate", QMPValue(request?.vmstate)),
        .init("note", QMPValue(note)),
        .init("created", QMPValue(created)),
        .init("started", QMPValue(started)),
        .init("concluded", QMPValue(concluded)),
        .init("exit-code", ExitCode(self).map { .int(Int64($0.rawValue)) } ?? .null),
        .init("worker", worker?.json ?? .null),
        .init("result", snapshotResult?.json ?? .null),
        .init("auto-finalize", .bool(autoFinalize)),
        .init("auto-dismiss", .bool(autoDismiss)),
      ])
  }

  /// What a snapshot job was asked to do; nil for other jobs.
  var snapshotRequest: SnapshotRequest? {
    guard SnapshotRequest.Operation(rawValue: type) != nil else { return nil }
    return try? JSONDecoder().decode(SnapshotRequest.self, from: Data(arguments.utf8))
  }

  /// What a job on device state was asked to do; nil for other jobs.
  private var deviceStateRequest: DeviceStateRequest? {
    guard DeviceStateRequest.Operation(rawValue: type) != nil else { return nil }
    return try? JSONDecoder().decode(DeviceStateRequest.self, from: Data(arguments.utf8))
  }

  /// Whether it is a transfer of bitmaps.
  private var isTransfer: Bool { BitmapTransferRequest.Direction(rawValue: type) != nil }

  /// The nodes whose bitmaps a transfer was asked to send or receive by name.
  private var bitmapDevices: [String] {
    guard isTransfer,
      let request = try? JSONDecoder().decode(
        BitmapTransferRequest.self, from: Data(arguments.utf8))
    else { return [] }
    return request.mapping?.nodes.map(\.name) ?? []
  }

  /// What a job on images did; nil for other jobs, and for one that recovery concluded.
  var snapshotResult: SnapshotResult? {
    guard
      SnapshotRequest.Operation(rawValue: type) != nil
        || DeviceStateRequest.Operation(rawValue: type) != nil || isTransfer,
      let result
    else {
      return nil
    }
    return try? JSONDecoder().decode(SnapshotResult.self, from: Data(result.utf8))
  }

  private static let infoSchemaMembers: [SchemaMember] = [
    .required("current-progress", .integer), .required("status", .enumeration(statusSchema)),
    .required("total-progress", .integer), .required("type", .enumeration(typeSchema)),
    .required("id", .string), .optional("error", .string),
  ]

  /// `JobStatus` of qapi/job.json.
  static let statusSchema = SchemaEnumeration("JobStatus", JobStatus.allCases.map(\.rawValue))

  /// `JobType` of qapi/job.json, as far as there are such jobs here.
  private static let typeSchema = SchemaEnumeration(
    "JobType",
    ["create"] + SnapshotRequest.Operation.commands.map(\.rawValue)
      + DeviceStateRequest.Operation.allCases.map(\.rawValue)
      + BitmapTransferRequest.Direction.allCases.map(\.rawValue))

  /// The type of ``infoMembers``, with the machine.
  static let infoSchema = SchemaObject(
    "JobInfo",
    infoSchemaMembers + [
      .optional("machine", .alternate(SchemaAlternate("StrOrNull", [.string, .null])))
    ])

  /// The type of ``json``.
  static let schema = SchemaObject(
    "SnapjobJobInfo",
    infoSchemaMembers + [
      .nullable("machine", .string), .nullable("tag", .string),
      .required("devices", .array(.string)), .nullable("vmstate", .string),
      .nullable("note", .string), .required("created", .string), .nullable("started", .string),
      .nullable("concluded", .string), .nullable("exit-code", .integer),
      .nullable("worker", .object(WorkerInfo.schema)),
      .nullable("result", .object(SnapshotResult.schema)),
      .required("auto-finalize", .boolean), .required("auto-dismiss", .boolean),
    ])
}

extension WorkerInfo {
  fileprivate var json: QMPValue {
    ["pid": .int(Int64(pid)), "uid": .int(Int64(uid)), "alive": .bool(isAlive)]
  }

  fileprivate static let schema = SchemaObject(
    "SnapjobWorker",
    [.required("pid", .integer), .required("uid", .integer), .required("alive", .boolean)])
}

extension SnapshotResult {
  fileprivate var json: QMPValue {
    var members: [QMPValue.Member] = [
      .init("bytes-written", .int(bytesWritten)), .init("bytes-freed", .int(bytesFreed)),
      .init("pause-ns", pauseNanoseconds.map { .int($0) } ?? .null),
      .init("remarks", .array(remarks.map { .string($0) })),
    ]
    if let changedNodes {
      members.append(.init("changed", .array(changedNodes.map { .string($0) })))
    }
    if let deletedTags {
      members.append(.init("deleted", .array(deletedTags.map { .string($0) })))
    }
    if let bitmaps { members.append(.init("bitmaps", .array(bitmaps.map(\.json)))) }
    return .object(members)
  }

  fileprivate static let schema = SchemaObject(
    "SnapjobResult",
    [
      .required("bytes-written", .integer), .required("bytes-freed", .integer),
      .nullable("pause-ns", .integer), .required("remarks", .array(.string)),
      .optional("changed", .array(.string)), .optional("deleted", .array(.string)),
      .optional("bitmaps", .array(.object(TransferredBitmap.schema))),
    ])
}

extension TransferredBitmap {
  fileprivate var json: QMPValue {
    [
      "node": .string(node), "name": .string(name),
      "granularity": .int(Int64(clamping: granularity)),
      "count": .int(Int64(clamping: dirtyByteCount)),
    ]
  }

  fileprivate static let schema = SchemaObject(
    "SnapjobTransferredBitmap",
    [
      .required("node", .string), .required("name", .string), .required("granularity", .integer),
      .required("count", .integer),
    ])
}
