import ByteCoding

/// One part of a stream, as ``StreamReader`` meets it.
public enum StreamPart: Sendable, Hashable {
  /// The configuration section.
  case configuration(Configuration)
  /// A command; that of a packaged part is followed by a payload.
  case command(StreamCommand)
  /// The header of a section; its payload follows.
  case section(SectionHeader)
  /// The byte that ends the sections.
  case endOfSections
  /// The description's header with its number of bytes; the JSON text follows as a payload.
  case description(byteCount: Int)
}

/// What a section's payload was.
public struct StreamPayload: Sendable, Hashable {
  /// Where it begins.
  public let offset: UInt64
  /// Its bytes, without header and footer.
  public let byteCount: UInt64
  /// Whether a footer follows it.
  public let hasFooter: Bool
}

/// Reads a stream from front to back, part by part, in constant memory.
///
/// ```swift
/// var reader = try StreamReader(source)
/// while let part = try reader.next() {
///   guard case .section(let header) = part, header.name == "dirty-bitmap" else { continue }
///   try reader.passPayload { bytes throws(StreamError) in … }
/// }
/// ```
///
/// Everything is checked on the way: headers, the grammar of RAM and of dirty bitmaps, footers, names
/// and ids that are there twice, and, if it is read until ``next()`` returns nil, that nothing follows
/// the end. A failure names the offset and the section; reading cannot go on then.
///
/// Where a device's state ends is not in the stream. The description at its end tells, if there is one
/// and the source is seekable; otherwise, and where the description does not fit, the footer does:
/// the first one that has the section's id and is followed by something that can follow.
///
/// Behind the end of the sections ``next()`` waits for a description or the end of the source: whoever
/// reads from a socket that stays open stops there.
public struct StreamReader: ~Copyable {
  private enum Phase {
    /// A part is next.
    case part
    /// The payload of this section is next.
    case payload(SectionHeader)
    /// A packaged part of a stream is next; it is passed over as it is.
    case package(byteCount: Int)
    /// The sections have ended.
    case endOfSections
    /// The text of the description is next.
    case description(byteCount: Int)
    /// The description has ended.
    case ended
  }

  /// Where the part that ``next()`` returned last begins, in bytes from the start of the stream.
  public private(set) var partOffset: UInt64 = 0
  /// The configuration; nil before it was met, and in streams without.
  public private(set) var configuration: Configuration?
  /// The description; known from the start if the source is seekable, else from when its text has
  /// been passed.
  public private(set) var description: VMDescription?

  private var cursor: StreamCursor
  private var phase = Phase.part
  private var sections = SectionNames()
  private var ends = SectionEnds()
  private var ramWalk = RAMWalk()

  /// Starts reading: checks magic and version, and looks for the description if the source is seekable.
  ///
  /// - Parameter source: where the bytes come from.
  /// - Throws: ``StreamError`` if it is no stream of version 3 (QEMU's texts), or its description is
  ///   bad.
  public init(_ source: any StreamSource) throws(StreamError) {
    try self.init(source, capacity: StreamCursor.standardCapacity)
  }

  /// Starts reading with a buffer of a number of bytes.
  init(_ source: any StreamSource, capacity: Int) throws(StreamError) {
    cursor = StreamCursor(source, capacity: capacity)
    try cursor.readFileHeader()
    if let description = try cursor.findDescription() {
      self.description = description
      ends = SectionEnds(description)
      if let size = description.pageByteCount { ramWalk.summary.pageByteCount = size }
    }
  }

  /// Whether sections have footers; nil before the first one has ended.
  public var hasFooters: Bool? { ends.hasFooters }
  /// What has been seen of guest RAM.
  public var ram: RAMSummary { ramWalk.summary }
  /// Where the reader is, in bytes from the start of the stream.
  public var offset: UInt64 { cursor.offset }

  /// Goes on to the next part. A payload that was not passed is passed over.
  ///
  /// - Returns: the part; nil at the end of the stream, behind which there is nothing then.
  public mutating func next() throws(StreamError) -> StreamPart? {
    try passPayload()
    partOffset = cursor.offset
    let byte = try cursor.read(UInt8.self)
    let type = byte.flatMap(SectionType.init)
    switch phase {
    case .endOfSections where byte == nil, .ended where byte == nil: return nil
    case .endOfSections where type == .description: return try beginDescription()
    case .endOfSections, .ended:
      throw StreamError(.malformed, "bytes follow the stream's end", at: partOffset)
    default: break
    }
    guard let byte else { throw cursor.truncated(in: nil) }
    switch type {
    case .configuration where partOffset == StreamCursor.fileHeaderByteCount:
      return .configuration(try readConfiguration())
    case .start: return .section(try beginSection(.start))
    case .part: return .section(try beginSection(.part))
    case .end: return .section(try beginSection(.end))
    case .full: return .section(try beginSection(.full))
    case .command: return .command(try readCommand())
    case .endOfFile:
      phase = .endOfSections
      return .endOfSections
    default:
      throw StreamError(
        .malformed, "a section of type 0x\(String(byte, radix: 16)) cannot be here", at: partOffset)
    }
  }

  /// Passes over the payload of the part that ``next()`` returned last.
  ///
  /// - Parameter take: is given the payload's bytes in runs of any length; nil to skip them, which is
  ///   quicker.
  /// - Returns: what it was; nil if the part has no payload, or it was passed already.
  /// - Throws: ``StreamError``; what was taken so far belongs to a damaged stream then.
  @discardableResult
  public mutating func passPayload(
    to take: StreamOutput? = nil
  ) throws(StreamError) -> StreamPayload? {
    let start = cursor.offset
    switch phase {
    case .part, .endOfSections, .ended: return nil
    case .package(let byteCount):
      try pass(byteCount, to: take, in: "command")
      phase = .part
    case .description(let byteCount):
      try passDescription(byteCount, to: take)
      phase = .ended
    case .payload(let section):
      try pass(section, to: take)
      let byteCount = cursor.offset - start
      try ends.passFooter(of: section, &cursor)
      if section.kind == .end { sections.end(section) }
      phase = .part
      return StreamPayload(
        offset: start, byteCount: byteCount, hasFooter: ends.hasFooters == true)
    }
    return StreamPayload(offset: start, byteCount: cursor.offset - start, hasFooter: false)
  }

  private mutating func pass(
    _ section: SectionHeader, to take: StreamOutput?
  ) throws(StreamError) {
    switch section.name {
    case "ram":
      cursor.open(take)
      try ramWalk.pass(section, &cursor)
    case "dirty-bitmap":
      cursor.open(take)
      try DirtyBitmapWalk(section: section).pass(&cursor)
    default:
      if let byteCount = try ends.byteCount(of: section, &cursor, sections) {
        cursor.open(take)
        guard try cursor.skip(byteCount) else { throw cursor.truncated(in: section.place) }
      } else {
        cursor.open(take)
        try ends.search(section, &cursor, sections)
      }
    }
    try cursor.closeTap()
  }

  private mutating func pass(
    _ byteCount: Int, to take: StreamOutput?, in place: String
  ) throws(StreamError) {
    cursor.open(take)
    guard try cursor.skip(byteCount) else { throw cursor.truncated(in: place) }
    try cursor.closeTap()
  }

  private mutating func beginSection(
    _ kind: SectionHeader.Kind
  ) throws(StreamError) -> SectionHeader {
    let section = try sections.read(kind, &cursor, at: partOffset)
    switch (section.name, section.version) {
    case ("ram", 4), ("dirty-bitmap", 1): break
    case ("ram", _), ("dirty-bitmap", _):
      throw StreamError(
        .unsupported, "version \(section.version) of its format is not known", at: partOffset,
        section: section.place)
    default: break
    }
    phase = .payload(section)
    return section
  }

  private mutating func readConfiguration() throws(StreamError) -> Configuration {
    let configuration = try cursor.readConfiguration()
    for capability in configuration.capabilities {
      switch capability {
      case "x-ignore-shared": ramWalk.tellsAddresses = true
      case "mapped-ram":
        throw StreamError(
          .unsupported,
          "the capability mapped-ram is on: guest RAM lies at fixed places of the file. Migrate "
            + "again without it", at: partOffset, section: "configuration section")
      default:
        throw StreamError(
          .unsupported, "the capability '\(capability)' is on, which is not known", at: partOffset,
          section: "configuration section")
      }
    }
    if let bits = configuration.targetPageBits, description?.pageByteCount == nil {
      ramWalk.summary.pageByteCount = 1 << UInt64(bits)
    }
    self.configuration = configuration
    return configuration
  }

  private mutating func readCommand() throws(StreamError) -> StreamCommand {
    let command = try cursor.readCommand()
    switch command.name {
    case .postcopyAdvise: ramWalk.tellsPageSizes = !command.data.isEmpty
    case .packaged:
      let byteCount = command.data.reduce(0) { $0 << 8 | Int($1) }
      guard byteCount <= StreamLimits.packageByteCount else {
        throw StreamError(
          .overLimit,
          "a package of \(byteCount) bytes; the limit is \(StreamLimits.packageByteCount)",
          at: partOffset, section: "command")
      }
      phase = .package(byteCount: byteCount)
    default: break
    }
    return command
  }

  private mutating func beginDescription() throws(StreamError) -> StreamPart {
    let byteCount = try cursor.readDescriptionByteCount()
    phase = .description(byteCount: byteCount)
    return .description(byteCount: byteCount)
  }

  private mutating func passDescription(
    _ byteCount: Int, to take: StreamOutput?
  ) throws(StreamError) {
    guard description == nil else { return try pass(byteCount, to: take, in: "vmdesc") }
    let start = cursor.offset
    cursor.open(take)
    guard let text = try cursor.read(byteCount: byteCount) else {
      throw cursor.truncated(in: "vmdesc")
    }
    try cursor.closeTap()
    var reader = DescriptionReader(text, at: start)
    description = try reader.read()
  }
}
