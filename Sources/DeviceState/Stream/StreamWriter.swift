import ByteCoding

/// Writes a stream, part by part, as QEMU does.
///
/// ```swift
/// let writer = StreamWriter(to: output)
/// try writer.begin()
/// try writer.beginSection(header)
/// try writer.write(payload)
/// try writer.endSection(withFooter: true)
/// try writer.endSections()
/// try writer.finish()
/// ```
///
/// It does not check the order of the calls, nor what a payload consists of: what ``StreamReader`` has
/// read is written back byte for byte, and ``StreamSummary`` says whether something new is right.
public final class StreamWriter {
  /// Small parts are collected up to this many bytes.
  private static let capacity = 1 << 16

  /// Bytes written so far, those not handed to the output yet included.
  public private(set) var byteCount: UInt64 = 0
  private let output: StreamOutput
  private var pending: [UInt8] = []
  private var section: SectionHeader?

  /// Starts writing.
  ///
  /// - Parameter output: takes the bytes.
  public init(to output: @escaping StreamOutput) { self.output = output }

  /// Writes magic and version.
  public func begin() throws(StreamError) {
    var writer = ByteWriter()
    writer.append(StreamCursor.magic)
    writer.append(StreamCursor.version)
    try write(writer.bytes)
  }

  /// Writes the configuration section.
  ///
  /// - Precondition: its names are as short as the format wants them (255 bytes).
  public func write(_ configuration: Configuration) throws(StreamError) {
    try write([SectionType.configuration.rawValue] + configuration.bytes)
  }

  /// Writes a command.
  ///
  /// - Precondition: its data are at most 65,535 bytes.
  public func write(_ command: StreamCommand) throws(StreamError) {
    var writer = ByteWriter()
    writer.append(SectionType.command.rawValue)
    writer.append(command.name.rawValue)
    writer.append(UInt16(command.data.count))
    writer.append(command.data)
    try write(writer.bytes)
  }

  /// Writes the header of a section; its payload is to follow.
  ///
  /// - Precondition: its name has 1 to 255 bytes.
  public func beginSection(_ header: SectionHeader) throws(StreamError) {
    var writer = ByteWriter(capacity: header.byteCount)
    writer.append(header.kind.rawValue)
    writer.append(header.id)
    if header.kind == .start || header.kind == .full {
      writer.appendCounted(header.name)
      writer.append(header.instance)
      writer.append(header.version)
    }
    section = header
    try write(writer.bytes)
  }

  /// Ends a section behind its payload.
  ///
  /// - Parameter withFooter: whether sections of this stream have footers: all or none.
  /// - Throws: ``StreamError`` of the output.
  public func endSection(withFooter: Bool) throws(StreamError) {
    guard withFooter, let section else { return }
    var writer = ByteWriter(capacity: SectionEnds.footerByteCount)
    writer.append(SectionType.footer.rawValue)
    writer.append(section.id)
    try write(writer.bytes)
  }

  /// Writes the byte that ends the sections.
  public func endSections() throws(StreamError) { try write([SectionType.endOfFile.rawValue]) }

  /// Writes the header of a description; its text is to follow.
  ///
  /// - Parameter byteCount: of the text.
  /// - Throws: ``StreamError`` of the output.
  /// - Precondition: the number fits into 32 bits.
  public func beginDescription(byteCount: Int) throws(StreamError) {
    var writer = ByteWriter()
    writer.append(SectionType.description.rawValue)
    writer.append(UInt32(byteCount))
    try write(writer.bytes)
  }

  /// Writes bytes of a payload.
  public func write(_ bytes: [UInt8]) throws(StreamError) {
    let elements = bytes.span
    try unsafe write(elements.bytes)
  }

  /// Writes bytes of a payload.
  public func write(_ bytes: RawSpan) throws(StreamError) {
    byteCount += UInt64(bytes.byteCount)
    if pending.count + bytes.byteCount > Self.capacity { try finish() }
    if bytes.byteCount >= Self.capacity {
      try output(bytes)
    } else {
      unsafe bytes.withUnsafeBytes { run in unsafe pending.append(contentsOf: run) }
    }
  }

  /// Hands everything to the output; to be called at the end.
  public func finish() throws(StreamError) {
    guard !pending.isEmpty else { return }
    var bytes: [UInt8] = []
    swap(&bytes, &pending)
    try unsafe output(bytes.span.bytes)
    bytes.removeAll(keepingCapacity: true)
    swap(&bytes, &pending)
  }

  /// Writes a part that a reader has met, with its payload.
  ///
  /// - Parameters:
  ///   - part: what ``StreamReader/next()`` returned last.
  ///   - reader: the reader; the payload is passed.
  /// - Throws: ``StreamError`` of the reader, or of the output.
  public func copy(
    _ part: StreamPart, from reader: inout StreamReader
  ) throws(StreamError) {
    switch part {
    case .configuration(let configuration): try write(configuration)
    case .command(let command): try write(command)
    case .section(let header): try beginSection(header)
    case .endOfSections: try endSections()
    case .description(let byteCount): try beginDescription(byteCount: byteCount)
    }
    let payload = try reader.passPayload { bytes throws(StreamError) in try self.write(bytes) }
    if case .section = part { try endSection(withFooter: payload?.hasFooter == true) }
  }
}
