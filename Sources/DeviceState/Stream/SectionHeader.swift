/// What a section of a stream begins with: which device the bytes behind it belong to.
///
/// ```
/// START, FULL   type u8 · id u32 · n u8 · name[n] · instance u32 · version u32 · payload
/// PART, END     type u8 · id u32 · payload
/// ```
///
/// Behind the payload there may be a footer: `7e`, id u32.
public struct SectionHeader: Sendable, Hashable {
  /// What part of a device's state a section is.
  public enum Kind: UInt8, Sendable, Hashable, CaseIterable {
    /// The first of several sections; what comes is announced here.
    case start = 1
    /// One of several sections.
    case part = 2
    /// The last of several sections.
    case end = 3
    /// All of a device's state.
    case full = 4
  }

  /// What part of the device's state it is.
  public let kind: Kind
  /// The number that ties a device's sections and footers together; any, and used once in a stream.
  public let id: UInt32
  /// The device's name (QEMU's *idstr*), 1 to 255 bytes: `ram`, `0000:00:02.0/virtio-blk`. That of
  /// PART and END sections is known from their START.
  public let name: String
  /// Tells devices of one name apart.
  public let instance: UInt32
  /// The version of the payload's format.
  public let version: UInt32

  /// Makes a header.
  public init(_ kind: Kind, id: UInt32, name: String, instance: UInt32, version: UInt32) {
    self.kind = kind
    self.id = id
    self.name = name
    self.instance = instance
    self.version = version
  }

  /// The same section as another part of the state.
  public func with(kind: Kind) -> SectionHeader {
    SectionHeader(kind, id: id, name: name, instance: instance, version: version)
  }

  /// The same section as that of another stream: its id.
  public func with(id: UInt32) -> SectionHeader {
    SectionHeader(kind, id: id, name: name, instance: instance, version: version)
  }

  /// The device that it belongs to.
  public var device: DeviceName { DeviceName(name, instance) }

  /// Bytes of the header itself.
  public var byteCount: Int {
    kind == .part || kind == .end ? 5 : 14 + name.utf8.count
  }

  /// For messages: `section 'ram' (instance 0, id 2, PART)`.
  var place: String {
    let part = kind == .full ? "" : ", \("\(kind)".uppercased())"
    return "section '\(name)' (instance \(instance), id \(id)\(part))"
  }
}

/// What tells devices of one machine apart.
public struct DeviceName: Sendable, Hashable, CustomStringConvertible {
  /// QEMU's *idstr*.
  public let name: String
  /// Which of several devices of that name.
  public let instance: UInt32

  /// Makes a name.
  public init(_ name: String, _ instance: UInt32) {
    self.name = name
    self.instance = instance
  }

  /// `i8259`, or `i8259#1` of an instance other than 0.
  public var description: String { instance == 0 ? name : "\(name)#\(instance)" }
}
