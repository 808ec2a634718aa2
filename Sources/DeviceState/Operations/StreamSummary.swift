import ByteCoding

/// What a stream consists of; made by reading it to its last byte, so that having one means that the
/// stream is right.
///
/// The parts add up: ``byteCount`` is the sum of the file's header (8), the configuration, the
/// commands, ``devices``, ``iterables``, the byte that ends the sections, and the description.
public struct StreamSummary: Sendable, Hashable {
  /// The state of one device that is in one section.
  public struct Device: Sendable, Hashable {
    /// The section's header: name, instance, version and id.
    public let header: SectionHeader
    /// Where its section begins, in bytes from the start of the stream.
    public let offset: UInt64
    /// Where its payload is.
    public let payload: Range<UInt64>
    /// Bytes of the section, header and footer included.
    public let byteCount: UInt64

    /// The device's name.
    public var name: DeviceName { header.device }
  }

  /// The state of one device that is in several sections: guest RAM, dirty bitmaps.
  public struct Iterable: Sendable, Hashable {
    /// The device.
    public let name: DeviceName
    /// The version of its format.
    public let version: UInt32
    /// How many sections it has.
    public fileprivate(set) var sectionCount: Int
    /// Bytes of the sections, headers and footers included.
    public fileprivate(set) var byteCount: UInt64
  }

  /// Bytes of the stream.
  public fileprivate(set) var byteCount: UInt64 = 0
  /// The configuration section; nil if there is none, as in device-state files.
  public fileprivate(set) var configuration: Configuration?
  /// Bytes of the configuration section; 0 if there is none.
  public fileprivate(set) var configurationByteCount: UInt64 = 0
  /// Bytes of all commands, packages included.
  public fileprivate(set) var commandByteCount: UInt64 = 0
  /// Guest RAM; nil if the stream has none.
  public fileprivate(set) var ram: RAMSummary?
  /// Devices in one section each, in the stream's order; at most ``StreamLimits/sectionCount``.
  public fileprivate(set) var devices: [Device] = []
  /// Devices in several sections each, in the order of their first ones.
  public fileprivate(set) var iterables: [Iterable] = []
  /// Whether sections have footers; nil if there are no sections.
  public fileprivate(set) var hasFooters: Bool?
  /// What the fields of the devices are; nil if the stream does not tell.
  public fileprivate(set) var description: VMDescription?
  /// Bytes of the description, with its header; 0 if there is none.
  public fileprivate(set) var descriptionByteCount: UInt64 = 0
  /// The run state that the machine had, `running` or `paused` for example; nil if it is not told.
  public fileprivate(set) var runState: String?

  /// The machine type, if it is told.
  public var machineType: String? { configuration?.machineType }
  /// Bytes of a page of RAM, if it is told.
  public var pageByteCount: UInt64? { ram?.pageByteCount ?? description?.pageByteCount }
  /// Whether it holds nothing but devices, as the file that `xen-save-devices-state` writes: such a
  /// stream is no machine's whole state.
  public var isDevicesOnly: Bool { configuration == nil && iterables.isEmpty }

  /// Reads a stream to its last byte.
  ///
  /// - Parameter source: where its bytes come from.
  /// - Throws: ``StreamError`` with the first thing that is wrong, anything after the end included.
  public init(reading source: any StreamSource) throws(StreamError) {
    var reader = try StreamReader(source)
    try self.init(&reader)
  }

  init(_ reader: inout StreamReader) throws(StreamError) {
    while let part = try reader.next() { try add(part, &reader) }
    byteCount = reader.offset
    hasFooters = reader.hasFooters
    description = reader.description
    if iterables.contains(where: { $0.name.name == "ram" }) { ram = reader.ram }
  }

  private mutating func add(
    _ part: StreamPart, _ reader: inout StreamReader
  ) throws(StreamError) {
    let offset = reader.partOffset
    switch part {
    case .configuration(let configuration):
      self.configuration = configuration
      configurationByteCount = reader.offset - offset
    case .command:
      try reader.passPayload()
      commandByteCount += reader.offset - offset
    case .section(let header) where header.kind == .full:
      try addDevice(header, &reader)
    case .section(let header):
      try reader.passPayload()
      addIterable(header, byteCount: reader.offset - offset)
    case .endOfSections: break
    case .description:
      try reader.passPayload()
      descriptionByteCount = reader.offset - offset
    }
  }

  private mutating func addDevice(
    _ header: SectionHeader, _ reader: inout StreamReader
  ) throws(StreamError) {
    let offset = reader.partOffset
    let payload =
      header.device == GlobalState.device
      ? try addGlobalState(&reader) : try reader.passPayload()
    guard let payload else { return }
    devices.append(
      Device(
        header: header, offset: offset,
        payload: payload.offset..<payload.offset + payload.byteCount,
        byteCount: reader.offset - offset))
  }

  private mutating func addGlobalState(
    _ reader: inout StreamReader
  ) throws(StreamError) -> StreamPayload? {
    var bytes: [UInt8] = []
    let payload = try reader.passPayload { run throws(StreamError) in
      for index in 0..<min(run.byteCount, GlobalState.byteCount - bytes.count) {
        bytes.append(unsafe run.unsafeLoad(fromByteOffset: index, as: UInt8.self))
      }
    }
    runState = GlobalState.runState(bytes)
    return payload
  }

  private mutating func addIterable(_ header: SectionHeader, byteCount: UInt64) {
    guard let index = iterables.firstIndex(where: { $0.name == header.device }) else {
      iterables.append(
        Iterable(
          name: header.device, version: header.version, sectionCount: 1, byteCount: byteCount))
      return
    }
    iterables[index].sectionCount += 1
    iterables[index].byteCount += byteCount
  }
}

/// The section that keeps the machine's run state: `n u32 · name[100]`, the name padded with zeros.
enum GlobalState {
  static let device = DeviceName("globalstate", 0)
  static let byteCount = 104

  /// The run state; nil if there is none.
  static func runState(_ payload: [UInt8]) -> String? {
    let name = payload.dropFirst(4).prefix { $0 != 0 }
    return name.isEmpty ? nil : String(validating: name, as: UTF8.self)
  }
}
