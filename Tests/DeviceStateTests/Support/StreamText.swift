import DeviceState

/// Writes streams by hand, also such as no QEMU would write.
struct StreamText {
  private(set) var bytes: [UInt8]

  /// Starts with magic and version.
  init() {
    bytes = []
    add(UInt32(0x5145_564D), UInt32(3))
  }

  /// Appends integers, the highest byte first.
  mutating func add<each Value: FixedWidthInteger>(_ values: repeat each Value) {
    repeat append(each values)
  }

  private mutating func append<Value: FixedWidthInteger>(_ value: Value) {
    for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
  }

  /// Appends bytes.
  mutating func add(_ more: [UInt8]) { bytes += more }

  /// Appends a name behind its length, a byte.
  mutating func add(counted name: String) {
    add(UInt8(name.utf8.count))
    bytes += Array(name.utf8)
  }

  /// Appends the header of a START (1) or FULL (4) section.
  mutating func addHeader(
    _ type: UInt8, id: UInt32, _ name: String, instance: UInt32 = 0, version: UInt32 = 1
  ) {
    add(type, id)
    add(counted: name)
    add(instance, version)
  }

  /// Appends a FULL section.
  mutating func addDevice(
    id: UInt32, _ name: String, instance: UInt32 = 0, _ payload: [UInt8], hasFooter: Bool = true
  ) {
    addHeader(4, id: id, name, instance: instance)
    add(payload)
    if hasFooter { addFooter(id) }
  }

  /// Appends a footer.
  mutating func addFooter(_ id: UInt32) { add(UInt8(0x7E), id) }

  /// Appends the end of the sections and a description.
  mutating func addDescription(_ json: String) {
    add(UInt8(0), UInt8(6), UInt32(json.utf8.count))
    bytes += Array(json.utf8)
  }

  /// Reads it to its end.
  func summary(isSeekable: Bool = true) throws(StreamError) -> StreamSummary {
    try StreamSummary(reading: BytesSource(bytes, isSeekable: isSeekable))
  }
}
