/// The sections that were announced so far: ids and devices are there once.
struct SectionNames: Sendable {
  /// Sections with parts still to come.
  private var started: [UInt32: SectionHeader] = [:]
  private var ids: Set<UInt32> = []
  private var devices: Set<DeviceName> = []

  /// Whether parts of a section can come.
  func isStarted(_ id: UInt32) -> Bool { started[id] != nil }

  /// Notes that a section's last part has passed.
  mutating func end(_ section: SectionHeader) { started[section.id] = nil }

  /// Reads a header behind its type.
  ///
  /// - Parameters:
  ///   - kind: the type.
  ///   - cursor: behind the type.
  ///   - offset: of the type, for errors.
  /// - Returns: the header; of a part, with what its START told.
  /// - Throws: ``StreamError`` if it does not go with the sections before.
  mutating func read(
    _ kind: SectionHeader.Kind, _ cursor: inout StreamCursor, at offset: UInt64
  ) throws(StreamError) -> SectionHeader {
    guard let id = try cursor.read(UInt32.self) else { throw cursor.truncated(in: nil) }
    if kind == .part || kind == .end {
      guard let section = started[id] else {
        throw StreamError(
          .malformed,
          "a \("\(kind)".uppercased()) section of id \(id), which was not announced or has ended",
          at: offset)
      }
      return section.with(kind: kind)
    }
    let name = try cursor.readCounted(in: "header of section \(id)")
    guard let instance = try cursor.read(UInt32.self), let version = try cursor.read(UInt32.self)
    else { throw cursor.truncated(in: "header of section '\(name)'") }
    let section = SectionHeader(kind, id: id, name: name, instance: instance, version: version)
    try add(section, at: offset)
    return section
  }

  private mutating func add(
    _ section: SectionHeader, at offset: UInt64
  ) throws(StreamError) {
    guard ids.count < StreamLimits.sectionCount else {
      throw StreamError(
        .overLimit, "more than \(StreamLimits.sectionCount) sections are announced", at: offset)
    }
    guard ids.insert(section.id).inserted else {
      throw StreamError(
        .malformed, "its id belongs to a section before", at: offset, section: section.place)
    }
    guard devices.insert(section.device).inserted else {
      throw StreamError(
        .malformed, "the device is there twice", at: offset, section: section.place)
    }
    if section.kind == .start { started[section.id] = section }
  }
}
