import DeviceState
import QMP

extension StreamComparison {
  /// How two device states differ.
  var json: QMPValue {
    [
      "added": .array(added.map { .object($0.members) }),
      "removed": .array(removed.map { .object($0.members) }),
      "changed": .array(changed.map(\.json)), "equal": QMPValue(UInt64(equalCount)),
    ]
  }

  static let schema: SchemaObject = {
    let device: [SchemaMember] = [.required("name", .string), .required("instance", .unsigned)]
    let field = SchemaObject(
      "SnapjobFieldChange",
      [
        .required("name", .string), .required("type", .string), .required("from", .any),
        .required("to", .any),
      ])
    let change = SchemaObject(
      "SnapjobDeviceChange",
      device + [
        .required("from-version", .unsigned), .required("to-version", .unsigned),
        .required("from-size", .unsigned), .required("to-size", .unsigned),
        .required("bytes", .unsigned), .nullable("fields", .array(.object(field))),
      ])
    let name = SchemaObject("SnapjobDeviceName", device)
    return SchemaObject(
      "SnapjobDeviceStateDiff",
      [
        .required("added", .array(.object(name))), .required("removed", .array(.object(name))),
        .required("changed", .array(.object(change))), .required("equal", .unsigned),
      ])
  }()
}

extension DeviceName {
  fileprivate var members: [QMPValue.Member] {
    [.init("name", .string(name)), .init("instance", QMPValue(UInt64(instance)))]
  }
}

extension StreamComparison.Change {
  fileprivate var json: QMPValue {
    .object(
      name.members + [
        .init("from-version", QMPValue(UInt64(versions.old))),
        .init("to-version", QMPValue(UInt64(versions.new))),
        .init("from-size", QMPValue(byteCounts.old)), .init("to-size", QMPValue(byteCounts.new)),
        .init("bytes", QMPValue(differingByteCount)),
        .init("fields", fields.map { .array($0.map(\.json)) } ?? .null),
      ])
  }
}

extension StreamComparison.FieldChange {
  fileprivate var json: QMPValue {
    [
      "name": .string(path), "type": .string(old?.type ?? new?.type ?? ""),
      "from": old?.value.json ?? .null, "to": new?.value.json ?? .null,
    ]
  }
}
