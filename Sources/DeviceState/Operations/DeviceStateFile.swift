/// A stream with nothing but the sections of devices, as `xen-save-devices-state` writes it: no
/// configuration, no RAM, no description.
///
/// ```
/// QEVM · 3 · { FULL header · payload · [footer] }… · 00
/// ```
public enum DeviceStateFile {
  /// Copies the devices of a stream.
  ///
  /// - Parameters:
  ///   - source: a whole stream, or a device-state file. It is read once, and checked to its last byte
  ///     on the way.
  ///   - withFooters: whether each section has a footer, as QEMU writes them outside of Xen. Without
  ///     them nothing tells where a device's state ends: only the same machine under Xen can read it.
  ///   - output: takes the bytes.
  /// - Returns: the number of bytes written.
  /// - Throws: ``StreamError``; the output has got nothing then, or what it has failed at. Unsupported if a device's
  ///   state holds what would be read as its end where no description tells its length; over a limit if all
  ///   states together are longer than ``StreamLimits/devicesByteCount``.
  @discardableResult
  public static func extract(
    from source: any StreamSource, withFooters: Bool = true, to output: @escaping StreamOutput
  ) throws(StreamError) -> UInt64 {
    let file = Collected()
    let writer = StreamWriter(to: file.take)
    var reader = try StreamReader(source)
    var devices: [Extracted] = []
    try writer.begin()
    while let part = try reader.next() {
      guard case .section(let header) = part, header.kind == .full else { continue }
      try writer.beginSection(header)
      let payload = try reader.passPayload { bytes throws(StreamError) in try writer.write(bytes) }
      devices.append(Extracted(header: header, byteCount: payload?.byteCount ?? 0))
      try writer.endSection(withFooter: withFooters)
    }
    try writer.endSections()
    try writer.finish()
    if withFooters { try check(file.bytes, has: devices) }
    try unsafe output(file.bytes.span.bytes)
    return writer.byteCount
  }

  /// One device's state, as it was taken out.
  private struct Extracted: Hashable {
    let header: SectionHeader
    let byteCount: UInt64
  }

  /// What was taken out, until it is known to be read back as it was meant.
  private final class Collected {
    private(set) var bytes: [UInt8] = []

    var take: StreamOutput {
      { run throws(StreamError) in
        guard run.byteCount <= StreamLimits.devicesByteCount - self.bytes.count else {
          throw StreamError(
            .overLimit,
            "the states of the devices are longer than \(StreamLimits.devicesByteCount) bytes")
        }
        unsafe run.withUnsafeBytes { unsafe self.bytes.append(contentsOf: $0) }
      }
    }
  }

  /// Checks that a file has just these devices for whoever reads it: a guest may have put bytes into a device's state
  /// that look like the end of its section.
  private static func check(_ file: [UInt8], has devices: [Extracted]) throws(StreamError) {
    let found = (try? StreamSummary(reading: BytesSource(file)))?.devices.map {
      Extracted(header: $0.header, byteCount: UInt64($0.payload.count))
    }
    guard found != devices else { return }
    let place = zip(devices, found ?? []).first { $0 != $1 }?.0 ?? devices.last
    throw StreamError(
      .unsupported,
      "its state holds bytes that look like its end, and no description tells its length outside of the whole "
        + "stream. Keep the whole stream", section: place?.header.place)
  }

  /// What a merge has made.
  public struct Merged: Sendable, Hashable {
    /// Bytes written.
    public let byteCount: UInt64
    /// Whether the description of the devices' fields is still there; it is not if the state of a
    /// device has another length or version now.
    public let keepsDescription: Bool
  }

  /// Puts the devices of one stream into another.
  ///
  /// The result has the configuration, the RAM, the order, the section ids and the footers of the
  /// whole stream; each device's state and version, the run state among them, are those of the file.
  /// Both are read to their last bytes before the output gets anything.
  ///
  /// - Parameters:
  ///   - file: the devices; seekable.
  ///   - state: the whole stream; seekable.
  ///   - output: takes the bytes.
  /// - Returns: what was made.
  /// - Throws: ``StreamError``, with ``StreamError/Code/mismatch`` and the difference if the two have
  ///   not the same devices.
  @discardableResult
  public static func merge(
    _ file: any StreamSource, into state: any StreamSource, to output: @escaping StreamOutput
  ) throws(StreamError) -> Merged {
    let (devices, whole) = (
      try StreamSummary(reading: file), try StreamSummary(reading: state)
    )
    try checkSameDevices(devices, whole)
    let parts = Dictionary(
      devices.devices.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let keepsDescription = whole.devices.allSatisfy { old in
      parts[old.name].map {
        $0.payload.count == old.payload.count && $0.header.version == old.header.version
      } ?? false
    }
    var reader = try StreamReader(state)
    var payloads = StreamCursor(file)
    let writer = StreamWriter(to: output)
    try writer.begin()
    while let part = try reader.next() {
      switch part {
      case .section(let header) where header.kind == .full:
        guard let new = parts[header.device] else { continue }
        try writer.beginSection(new.header.with(id: header.id))
        try payloads.copy(new.payload, to: writer)
        try writer.endSection(withFooter: whole.hasFooters == true)
      case .description where !keepsDescription: continue
      default: try writer.copy(part, from: &reader)
      }
    }
    try writer.finish()
    return Merged(byteCount: writer.byteCount, keepsDescription: keepsDescription)
  }

  /// How many names an error lists.
  private static let listedNames = 8

  private static func checkSameDevices(
    _ file: StreamSummary, _ state: StreamSummary
  ) throws(StreamError) {
    let inFile = Set(file.devices.map(\.name))
    let inState = Set(state.devices.map(\.name))
    guard inFile != inState else { return }
    let missing = state.devices.map(\.name).filter { !inFile.contains($0) }
    let unknown = file.devices.map(\.name).filter { !inState.contains($0) }
    var parts: [String] = []
    if !missing.isEmpty { parts.append("the file lacks \(list(missing))") }
    if !unknown.isEmpty { parts.append("the machine has no \(list(unknown))") }
    throw StreamError(
      .mismatch, "the file is of a machine with other devices: \(parts.joined(separator: "; "))")
  }

  private static func list(_ names: [DeviceName]) -> String {
    let more = names.count > listedNames ? " and \(names.count - listedNames) more" : ""
    return names.prefix(listedNames).map { "'\($0)'" }.joined(separator: ", ") + more
  }
}

extension StreamCursor {
  /// Copies a range of a seekable source.
  fileprivate mutating func copy(
    _ range: Range<UInt64>, to writer: StreamWriter
  ) throws(StreamError) {
    guard byteCount != nil else {
      throw StreamError(.unsupported, "the source of the devices is not seekable")
    }
    seek(to: range.lowerBound)
    open { bytes throws(StreamError) in try writer.write(bytes) }
    guard try skip(UInt64(range.count)) else { throw truncated(in: nil) }
    try closeTap()
  }
}
