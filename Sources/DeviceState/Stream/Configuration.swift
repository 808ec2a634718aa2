import ByteCoding

/// The configuration section: which machine a stream belongs to.
///
/// ```
/// 07 · n u32 · machine type[n] · subsections
/// subsection   05 · n u8 · name[n] · version u32 · fields
/// ```
public struct Configuration: Sendable, Hashable {
  /// What may follow the machine type; each is version 1.
  public enum Subsection: Sendable, Hashable {
    /// `configuration/target-page-bits`: the page size as a power of two.
    case targetPageBits(UInt32)
    /// `configuration/capabilities`: those of QEMU's migration capabilities that change the format.
    case capabilities([String])
    /// `configuration/uuid`: the machine's UUID, 16 bytes.
    case uuid([UInt8])

    /// The name in the stream.
    public var name: String {
      switch self {
      case .targetPageBits: "configuration/target-page-bits"
      case .capabilities: "configuration/capabilities"
      case .uuid: "configuration/uuid"
      }
    }
  }

  /// The machine type: `pc-i440fx-7.2`.
  public let machineType: String
  /// In the stream's order.
  public let subsections: [Subsection]

  /// Makes a configuration.
  public init(machineType: String, subsections: [Subsection] = []) {
    self.machineType = machineType
    self.subsections = subsections
  }

  /// The page size as a power of two, if it is told.
  public var targetPageBits: UInt32? {
    subsections.lazy.compactMap {
      if case .targetPageBits(let bits) = $0 { bits } else { nil }
    }.first
  }

  /// Capabilities that are on; only those that change the format are told.
  public var capabilities: [String] {
    subsections.flatMap { if case .capabilities(let names) = $0 { names } else { [String]() } }
  }

  /// The bytes behind the section's type.
  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.append(UInt32(machineType.utf8.count))
    writer.append(Array(machineType.utf8))
    for subsection in subsections {
      writer.append(SectionType.subsection.rawValue)
      writer.appendCounted(subsection.name)
      writer.append(UInt32(1))
      switch subsection {
      case .targetPageBits(let bits): writer.append(bits)
      case .capabilities(let names):
        writer.append(UInt32(names.count))
        for name in names { writer.appendCounted(name) }
      case .uuid(let uuid): writer.append(uuid)
      }
    }
    return writer.bytes
  }
}

extension StreamCursor {
  /// Reads a configuration behind the section's type.
  mutating func readConfiguration() throws(StreamError) -> Configuration {
    let place = "configuration section"
    let start = offset
    guard let count = try read(UInt32.self) else { throw truncated(in: place) }
    guard count <= UInt32(StreamLimits.machineTypeByteCount) else {
      throw StreamError(
        .overLimit,
        "a machine type of \(count) bytes; the limit is \(StreamLimits.machineTypeByteCount)",
        at: start, section: place)
    }
    guard let name = try read(byteCount: Int(count)) else { throw truncated(in: place) }
    guard let machineType = String(validating: name, as: UTF8.self) else {
      throw StreamError(.malformed, "the machine type is no text", at: start + 4, section: place)
    }
    var subsections: [Configuration.Subsection] = []
    while try has(1), peek(UInt8.self) == SectionType.subsection.rawValue {
      let subsection = try readSubsection(in: place)
      guard !subsections.contains(where: { $0.name == subsection.name }) else {
        throw StreamError(
          .malformed, "\(subsection.name) is there twice", at: offset, section: place)
      }
      subsections.append(subsection)
    }
    return Configuration(machineType: machineType, subsections: subsections)
  }

  private mutating func readSubsection(
    in place: String
  ) throws(StreamError) -> Configuration.Subsection {
    let start = offset
    _ = try skip(1)
    let name = try readCounted(in: place)
    guard let version = try read(UInt32.self) else { throw truncated(in: place) }
    guard version == 1 else {
      throw StreamError(
        .unsupported, "subsection '\(name)' has version \(version), not 1", at: start,
        section: place)
    }
    switch name {
    case "configuration/target-page-bits":
      guard let bits = try read(UInt32.self) else { throw truncated(in: place) }
      guard RAMPages.pageBits.contains(bits) else {
        throw StreamError(
          .malformed,
          "pages of 2^\(bits) bytes; 2^\(RAMPages.pageBits.lowerBound) to "
            + "2^\(RAMPages.pageBits.upperBound) are possible", at: offset - 4, section: place)
      }
      return .targetPageBits(bits)
    case "configuration/capabilities":
      guard let count = try read(UInt32.self) else { throw truncated(in: place) }
      guard count <= UInt32(StreamLimits.capabilityCount) else {
        throw StreamError(
          .overLimit, "\(count) capabilities; the limit is \(StreamLimits.capabilityCount)",
          at: offset - 4, section: place)
      }
      var names: [String] = []
      for _ in 0..<count { names.append(try readCounted(in: place)) }
      return .capabilities(names)
    case "configuration/uuid":
      guard let uuid = try read(byteCount: 16) else { throw truncated(in: place) }
      return .uuid(uuid)
    default:
      throw StreamError(.unsupported, "unknown subsection '\(name)'", at: start, section: place)
    }
  }

  /// Reads a name behind its length, a byte.
  mutating func readCounted(in place: String?) throws(StreamError) -> String {
    let start = offset
    guard let count = try read(UInt8.self), let bytes = try read(byteCount: Int(count)) else {
      throw truncated(in: place)
    }
    guard count > 0, let name = String(validating: bytes, as: UTF8.self) else {
      throw StreamError(
        .malformed, count > 0 ? "a name is no text" : "an empty name", at: start, section: place)
    }
    return name
  }

  /// The stream ends here, and should not.
  func truncated(in place: String?) -> StreamError {
    StreamError(.truncated, "the stream ends here; it is cut off", at: end, section: place)
  }
}

extension ByteWriter {
  /// Appends a name behind its length.
  ///
  /// - Precondition: at most 255 bytes.
  mutating func appendCounted(_ name: String) {
    append(UInt8(name.utf8.count))
    append(Array(name.utf8))
  }
}
