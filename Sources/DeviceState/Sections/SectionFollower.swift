import ByteCoding

/// What can follow a section: enough of it to tell it from bytes of a device's state.
enum SectionFollower {
  /// Bytes that are looked at: the longest header.
  static let byteCount = 14 + 255

  /// What follows a section.
  enum Kind: Hashable {
    /// A section of this id, whose payload begins this many bytes further on.
    case section(UInt32, headerByteCount: Int)
    /// A command of this many bytes.
    case command(byteCount: Int)
    /// The end of the stream, with a description or without.
    case end
  }

  /// Whether what follows a section can begin with this byte. Most bytes cannot, and need no second look.
  static func canBegin(with byte: UInt8) -> Bool {
    switch SectionType(rawValue: byte) {
    case .start, .part, .end, .full, .command, .endOfFile: true
    default: false
    }
  }

  /// Looks at bytes.
  ///
  /// - Parameters:
  ///   - bytes: ``byteCount`` of them; fewer at the end of the stream.
  ///   - rest: the bytes from here to the end of the stream, if that is known.
  ///   - sections: those announced so far.
  /// - Returns: what it is; nil if it cannot follow a section.
  static func kind(
    _ bytes: [UInt8], rest: UInt64?, after sections: SectionNames
  ) -> Kind? {
    var reader = ByteReader(bytes)
    guard let type = (try? reader.read(UInt8.self)).flatMap(SectionType.init) else { return nil }
    switch type {
    case .start, .full:
      guard let id = try? reader.read(UInt32.self),
        let count = try? reader.read(UInt8.self), count > 0,
        let name = try? reader.read(byteCount: Int(count)),
        name.allSatisfy({ (0x20...0x7E).contains($0) }), reader.remaining >= 8
      else { return nil }
      return .section(id, headerByteCount: reader.position + 8)
    case .part, .end:
      guard let id = try? reader.read(UInt32.self), sections.isStarted(id) else { return nil }
      return .section(id, headerByteCount: reader.position)
    case .command:
      guard let number = try? reader.read(UInt16.self),
        let name = StreamCommand.Name(rawValue: number),
        let count = try? reader.read(UInt16.self),
        name.dataByteCounts?.contains(Int(count)) != false
      else { return nil }
      return .command(byteCount: reader.position + Int(count))
    case .endOfFile:
      if reader.remaining == 0 { return .end }
      guard (try? reader.read(UInt8.self)) == SectionType.description.rawValue,
        let count = try? reader.read(UInt32.self),
        (try? reader.read(UInt8.self)) == UInt8(ascii: "{"),
        rest.map({ $0 == UInt64(count) + 6 }) != false
      else { return nil }
      return .end
    default:
      return nil
    }
  }
}
