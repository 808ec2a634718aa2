/// Makes a description of its text.
///
/// ```json
/// {"page_size": 4096, "devices": [
///   {"name": "timer", "instance_id": 0, "vmsd_name": "timer", "version": 2, "fields": [
///     {"name": "cpu_ticks_offset", "type": "int64", "size": 8},
///     {"name": "regs", "array_len": 16, "type": "uint64", "size": 8},
///     {"name": "pci_dev", "type": "struct", "struct": {"vmsd_name": …, "fields": …}, "size": 16}],
///    "subsections": [{"vmsd_name": "timer/icount", "version": 1, "fields": […]}]}]}
/// ```
///
/// Newer programs have a member `configuration` before the others. What is not known is passed over.
struct DescriptionReader {
  private var scanner: JSONScanner

  /// Takes a text of at most ``StreamLimits/descriptionByteCount`` bytes, and for errors its place in
  /// the stream.
  init(_ text: [UInt8], at offset: UInt64) { scanner = JSONScanner(text, at: offset) }

  mutating func read() throws(StreamError) -> VMDescription {
    var pageByteCount: UInt64?
    var devices: [DeviceDescription] = []
    try scanner.readObject { name, scanner throws(StreamError) in
      switch name {
      case "page_size": pageByteCount = try Self.pageSize(&scanner)
      case "devices":
        try scanner.readArray { scanner throws(StreamError) in
          devices.append(try Self.device(&scanner))
        }
      default: try scanner.skipValue()
      }
    }
    try scanner.finish()
    return VMDescription(pageByteCount: pageByteCount, devices: devices)
  }

  private static func pageSize(_ scanner: inout JSONScanner) throws(StreamError) -> UInt64 {
    let size = try scanner.readCount()
    guard size.nonzeroBitCount == 1,
      RAMPages.pageBits.contains(UInt32(size.trailingZeroBitCount))
    else { throw scanner.error("pages of \(size) bytes") }
    return size
  }

  private static func device(
    _ scanner: inout JSONScanner
  ) throws(StreamError) -> DeviceDescription {
    var name: String?
    var instance: UInt32 = 0
    let state = try structure(&scanner) { member, scanner throws(StreamError) in
      switch member {
      case "name": name = try scanner.readString()
      case "instance_id":
        // QEMU prints it as a signed number.
        instance = UInt32(truncatingIfNeeded: try scanner.readInteger())
      default: try scanner.skipValue()
      }
    }
    guard let name else { throw scanner.error("a device without a name") }
    return DeviceDescription(DeviceName(name, instance), state)
  }

  /// Reads an object with `vmsd_name`, `version`, `fields` and `subsections`; other members are given
  /// to a function.
  private static func structure(
    _ scanner: inout JSONScanner,
    other: (String, inout JSONScanner) throws(StreamError) -> Void = {
      _, scanner throws(StreamError) in try scanner.skipValue()
    }
  ) throws(StreamError) -> StructDescription {
    var name = ""
    var version: Int64 = 0
    var fields: [FieldDescription] = []
    var subsections: [StructDescription] = []
    try scanner.readObject { member, scanner throws(StreamError) in
      switch member {
      case "vmsd_name": name = try scanner.readString()
      case "version": version = try scanner.readInteger()
      case "fields":
        try scanner.readArray { scanner throws(StreamError) in
          fields.append(try field(&scanner))
        }
      case "subsections":
        try scanner.readArray { scanner throws(StreamError) in
          subsections.append(try structure(&scanner))
        }
      default: try other(member, &scanner)
      }
    }
    return StructDescription(
      name: name, version: version, fields: fields, subsections: subsections)
  }

  private static func field(
    _ scanner: inout JSONScanner
  ) throws(StreamError) -> FieldDescription {
    var name = ""
    var type = ""
    var byteCount: UInt64?
    var elements: UInt64 = 1
    var index: UInt64?
    var content: StructDescription?
    // Some types write their fields into the field's own object, not into a member `struct`.
    let own = try structure(&scanner) { member, scanner throws(StreamError) in
      switch member {
      case "name": name = try scanner.readString()
      case "type": type = try scanner.readString()
      case "size": byteCount = try scanner.readCount()
      case "array_len": elements = try scanner.readCount()
      case "index": index = try scanner.readCount()
      case "struct": content = try structure(&scanner)
      default: try scanner.skipValue()
      }
    }
    guard let byteCount else { throw scanner.error("field '\(name)' has no size") }
    if content == nil, !own.fields.isEmpty || !own.subsections.isEmpty { content = own }
    return FieldDescription(
      name: name, type: type, byteCount: byteCount, count: elements, index: index,
      // What does not fill the field says nothing of its bytes.
      structure: content?.byteCount == byteCount ? content : nil)
  }
}
