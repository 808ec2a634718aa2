import DeviceState
import QMP
import SnapshotJobs

extension StateInspection {
  /// What a device state consists of; the sizes of `parts` add up to `length`.
  var json: QMPValue {
    [
      "length": QMPValue(summary.byteCount), "machine-type": QMPValue(summary.machineType),
      "run-state": QMPValue(summary.runState), "page-size": QMPValue(summary.pageByteCount),
      "ram": summary.ram?.json ?? .null, "footers": summary.hasFooters.map(QMPValue.bool) ?? .null,
      "parts": .array(summary.parts.map(\.json)), "fields": .array(fields.flatMap(\.json)),
    ]
  }

  static let schema = SchemaObject(
    "SnapjobDeviceState",
    [
      .required("length", .unsigned), .nullable("machine-type", .string),
      .nullable("run-state", .string), .nullable("page-size", .unsigned),
      .nullable("ram", .object(RAMSummary.schema)), .nullable("footers", .boolean),
      .required("parts", .array(.object(StreamSummary.Part.schema))),
      .required(
        "fields",
        .array(
          .object(
            SchemaObject(
              "SnapjobDeviceField",
              [
                .required("device", .string), .required("instance", .unsigned),
                .required("name", .string), .required("type", .string),
                .required("offset", .unsigned), .required("length", .unsigned),
                .required("value", .any),
              ])))),
    ])
}

extension StreamSummary {
  /// A run of a stream that is told as one.
  struct Part {
    /// `header`, `configuration`, `commands`, `iterable`, `device`, `end` or `description`.
    let kind: String
    var device: DeviceName?
    var version: UInt32?
    /// Bytes in the stream, headers and footers included.
    let size: UInt64
    /// Sections of an iterable device.
    var sections: Int?
    /// Bytes of a device's state alone.
    var stateSize: Int?

    var json: QMPValue {
      [
        "kind": .string(kind), "name": QMPValue(device?.name),
        "instance": QMPValue(device.map { UInt64($0.instance) }),
        "version": QMPValue(version.map(UInt64.init)), "size": QMPValue(size),
        "sections": QMPValue(sections.map { UInt64($0) }),
        "state-size": QMPValue(stateSize.map { UInt64($0) }),
      ]
    }

    static let schema = SchemaObject(
      "SnapjobDeviceStatePart",
      [
        .required("kind", .string), .nullable("name", .string), .nullable("instance", .unsigned),
        .nullable("version", .unsigned), .required("size", .unsigned),
        .nullable("sections", .unsigned), .nullable("state-size", .unsigned),
      ])
  }

  /// All parts; those that are there at all.
  fileprivate var parts: [Part] {
    let iterables = iterables.map {
      Part(
        kind: "iterable", device: $0.name, version: $0.version, size: $0.byteCount,
        sections: $0.sectionCount)
    }
    let devices = devices.map {
      Part(
        kind: "device", device: $0.name, version: $0.header.version, size: $0.byteCount,
        stateSize: $0.payload.count)
    }
    let parts =
      [
        Part(kind: "header", size: 8),
        Part(kind: "configuration", size: configurationByteCount),
        Part(kind: "commands", size: commandByteCount),
      ] + iterables + devices + [
        Part(kind: "end", size: 1), Part(kind: "description", size: descriptionByteCount),
      ]
    return parts.filter { $0.size > 0 }
  }
}

extension RAMSummary {
  fileprivate var json: QMPValue {
    [
      "size": QMPValue(byteCount),
      "blocks": .array(
        blocks.map { ["name": .string($0.name), "size": QMPValue($0.usedByteCount)] }),
      "zero-pages": QMPValue(zeroPageCount), "data-pages": QMPValue(dataPageCount),
      "encoded-pages": QMPValue(encodedPageCount),
    ]
  }

  fileprivate static let schema = SchemaObject(
    "SnapjobDeviceStateRAM",
    [
      .required("size", .unsigned),
      .required(
        "blocks",
        .array(
          .object(
            SchemaObject(
              "SnapjobRAMBlock", [.required("name", .string), .required("size", .unsigned)])))),
      .required("zero-pages", .unsigned), .required("data-pages", .unsigned),
      .required("encoded-pages", .unsigned),
    ])
}

extension StateInspection.DeviceFields {
  fileprivate var json: [QMPValue] {
    fields.map { field in
      [
        "device": .string(device.name), "instance": QMPValue(UInt64(device.instance)),
        "name": .string(field.path), "type": .string(field.type),
        "offset": QMPValue(UInt64(field.offset)), "length": QMPValue(UInt64(field.bytes.count)),
        "value": field.value.json,
      ]
    }
  }
}

extension QMPValue {
  /// A whole number, or `null`.
  fileprivate init(_ number: UInt64?) {
    self = number.map { number in QMPValue(number) } ?? .null
  }
}

extension DeviceField.Value {
  /// Numbers, truth values and lists of them as such; other bytes as hexadecimal digits.
  var json: QMPValue {
    switch self {
    case .bool(let value): .bool(value)
    case .signed(let value): .int(value)
    case .unsigned(let value): QMPValue(value)
    case .list(let values): .array(values.map(\.json))
    case .bytes(let bytes): .string(Self.hexadecimal(bytes))
    }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
    return String(decoding: text, as: UTF8.self)
  }
}
