import Glibc

/// Names of files as text that loses no byte.
///
/// Linux takes any bytes but `/` and zero for a name; a `String` holds Unicode. A byte that belongs to no valid UTF-8
/// stands in the text as one scalar, U+10FE00 plus the byte: of the last private plane, which nobody else
/// writes. A character of that very range is taken for bytes as well, so that each name has one text, and no two names
/// the same.
///
/// Only the calls of this module turn such text back. Elsewhere it is text: it can be joined, split at `/`, stored and
/// sent.
extension String {
  /// The name that a file has in the system, as text.
  ///
  /// - Parameter bytes: the name, without the zero at its end.
  public init(fileName bytes: some Collection<UInt8>) {
    if let text = String(validating: bytes, as: UTF8.self), !text.hasBytesOfFileNames {
      self = text
      return
    }
    // Valid UTF-8, whatever the name is.
    var text: [UInt8] = []
    var parser = UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    var rest = bytes[...]
    while true {
      switch parser.parseScalar(from: &iterator) {
      case .valid(let code):
        let scalar = UTF8.decode(code)
        if FileNameByte.isOne(scalar) {
          text += rest.prefix(code.count).flatMap(FileNameByte.utf8)
        } else {
          text += rest.prefix(code.count)
        }
        rest = rest.dropFirst(code.count)
      case .error(let count):
        text += rest.prefix(count).flatMap(FileNameByte.utf8)
        rest = rest.dropFirst(count)
      case .emptyInput:
        self.init(decoding: text, as: UTF8.self)
        return
      }
    }
  }

  /// The same for a name that ends with a zero.
  public init(fileName name: UnsafePointer<CChar>) {
    let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name))
    self.init(fileName: bytes)
  }

  /// The name that the text stands for, as the system takes it, without a zero at its end.
  public var fileNameBytes: [UInt8] {
    guard hasBytesOfFileNames else { return Array(utf8) }
    var bytes: [UInt8] = []
    for scalar in unicodeScalars {
      if FileNameByte.isOne(scalar) {
        bytes.append(FileNameByte.byte(scalar))
      } else {
        bytes.append(contentsOf: String(scalar).utf8)
      }
    }
    return bytes
  }

  /// Whether the text stands for a name that is no UTF-8.
  public var hasBytesOfFileNames: Bool {
    // Most names are ASCII: their bytes are looked at without making scalars of them.
    utf8.contains(0xF4) && unicodeScalars.contains(where: FileNameByte.isOne)
  }

  /// For people: what is no text is written as `\xff`.
  public var printedFileNames: String {
    guard hasBytesOfFileNames else { return self }
    return unicodeScalars.map { scalar in
      FileNameByte.isOne(scalar)
        ? "\\x" + String(FileNameByte.byte(scalar), radix: 16) : String(scalar)
    }.joined()
  }

  /// Hands the name that the text stands for to a call of the system.
  public func withFileName<Result>(
    _ body: (UnsafePointer<CChar>) throws -> Result
  ) rethrows -> Result {
    guard hasBytesOfFileNames else { return try withCString(body) }
    return try body(fileNameBytes.map(CChar.init(bitPattern:)) + [0])
  }
}

/// The scalars that stand for bytes.
private enum FileNameByte {
  private static let range: ClosedRange<UInt32> = 0x10FE80...0x10FEFF

  static func isOne(_ scalar: Unicode.Scalar) -> Bool { range.contains(scalar.value) }

  static func byte(_ scalar: Unicode.Scalar) -> UInt8 {
    UInt8(truncatingIfNeeded: scalar.value)
  }

  /// The UTF-8 of a byte's scalar. Bytes below 0x80 are text by themselves.
  static func utf8(_ byte: UInt8) -> [UInt8] {
    byte < 0x80 ? [byte] : [0xF4, 0x8F, 0xB8 | byte >> 6, 0x80 | byte & 0x3F]
  }
}
