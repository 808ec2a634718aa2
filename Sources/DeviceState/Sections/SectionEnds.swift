import ByteCoding

/// Where the payloads of devices end, and the footers behind all payloads.
struct SectionEnds: Sendable {
  /// Bytes of a footer: `7e`, id u32.
  static let footerByteCount = 5

  /// Whether sections have footers; nil before the first one has ended.
  private(set) var hasFooters: Bool?
  /// What the description says of each device.
  private var byteCounts: [DeviceName: UInt64] = [:]
  private var index: FooterIndex?

  init() {}

  init(_ description: VMDescription) {
    for device in description.devices where byteCounts[device.device] == nil {
      byteCounts[device.device] = device.state.byteCount
    }
  }

  /// How long the payload of a section is that begins at the cursor.
  ///
  /// - Returns: nil if only looking for its footer on the way tells.
  mutating func byteCount(
    of section: SectionHeader, _ cursor: inout StreamCursor, _ sections: SectionNames
  ) throws(StreamError) -> UInt64? {
    guard section.kind == .full, let end = cursor.byteCount else {
      if hasFooters == false { throw noEnd(section, cursor) }
      return nil
    }
    if let described = byteCounts[section.device],
      try fits(described, section, &cursor, sections)
    {
      return described
    }
    if hasFooters == false { throw noEnd(section, cursor) }
    let start = cursor.offset
    if index == nil { index = try FooterIndex(&cursor, end: end, sections) }
    guard let footer = index?.footer(of: section.id, from: start) else {
      throw cursor.missingFooter(of: section)
    }
    return footer - start
  }

  /// Whether a section ends after this many bytes: a footer or, in a stream without, something that can
  /// follow a section is there.
  private func fits(
    _ byteCount: UInt64, _ section: SectionHeader, _ cursor: inout StreamCursor,
    _ sections: SectionNames
  ) throws(StreamError) -> Bool {
    let (offset, overflow) = cursor.offset.addingReportingOverflow(byteCount)
    guard let end = cursor.byteCount, !overflow, offset < end else { return false }
    let bytes = try cursor.peek(at: offset, SectionFollower.byteCount)
    if hasFooters != false, section.isFooter(bytes) { return true }
    return hasFooters != true
      && SectionFollower.kind(bytes, rest: end - offset, after: sections) != nil
  }

  /// Passes over a payload up to its footer.
  mutating func search(
    _ section: SectionHeader, _ cursor: inout StreamCursor, _ sections: SectionNames
  ) throws(StreamError) {
    while try cursor.has(1) {
      guard cursor.skip(to: SectionType.footer.rawValue) else { continue }
      guard try cursor.has(Self.footerByteCount) else { break }
      if cursor.peek(UInt32.self, ahead: 1) == section.id {
        // Where nothing follows, the stream is cut off; that is for who reads on to say.
        let bytes = try cursor.peek(ahead: Self.footerByteCount, SectionFollower.byteCount)
        if bytes.isEmpty || SectionFollower.kind(bytes, rest: nil, after: sections) != nil {
          return
        }
      }
      _ = try cursor.skip(1)
    }
    throw cursor.missingFooter(of: section)
  }

  /// Passes over a section's footer, if sections have any.
  mutating func passFooter(
    of section: SectionHeader, _ cursor: inout StreamCursor
  ) throws(StreamError) {
    if hasFooters == nil {
      // The end of the stream comes without a footer, but a section is never the last part of it.
      guard try cursor.has(1) else { throw cursor.truncated(in: section.place) }
      hasFooters = cursor.peek(UInt8.self) == SectionType.footer.rawValue
    }
    guard hasFooters == true else { return }
    let bytes = try cursor.peek(ahead: 0, Self.footerByteCount)
    guard section.isFooter(bytes) else {
      if bytes.count < Self.footerByteCount { throw cursor.truncated(in: section.place) }
      throw StreamError(
        .malformed, "its footer is missing, or is that of another section", at: cursor.offset,
        section: section.place)
    }
    _ = try cursor.skip(Self.footerByteCount)
  }

  private func noEnd(_ section: SectionHeader, _ cursor: borrowing StreamCursor) -> StreamError {
    StreamError(
      .unsupported,
      "nothing tells where its state ends: the stream has no footers, and its description, if it has "
        + "one, does not fit", at: cursor.offset, section: section.place)
  }
}

extension SectionHeader {
  /// Whether bytes begin with the section's footer.
  fileprivate func isFooter(_ bytes: [UInt8]) -> Bool {
    var reader = ByteReader(bytes)
    return (try? reader.read(UInt8.self)) == SectionType.footer.rawValue
      && (try? reader.read(UInt32.self)) == id
  }
}

extension StreamCursor {
  /// No footer of a section was found up to the end of the stream.
  fileprivate func missingFooter(of section: SectionHeader) -> StreamError {
    StreamError(
      .truncated,
      "no footer of this section follows: the stream is cut off, damaged, or has neither footers nor "
        + "a description that fits", at: end, section: section.place)
  }
}
