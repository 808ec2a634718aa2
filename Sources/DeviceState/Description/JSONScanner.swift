/// Goes through a JSON text once, without making values of it: the caller asks for what it expects.
///
/// Only what QEMU's descriptions need is here. What is not asked for is passed over, whatever it is.
struct JSONScanner {
  private let text: [UInt8]
  /// The stream's offset of the text, for errors.
  private let base: UInt64
  private(set) var position = 0
  private var depth = 0
  private var objectCount = 0

  init(_ text: [UInt8], at base: UInt64) {
    self.text = text
    self.base = base
  }

  /// Reads an object, calling for each name what has to read or pass over the value.
  mutating func readObject(
    _ member: (String, inout JSONScanner) throws(StreamError) -> Void
  ) throws(StreamError) {
    try open("{")
    objectCount += 1
    guard objectCount <= StreamLimits.descriptionObjectCount else {
      throw error("more than \(StreamLimits.descriptionObjectCount) objects", code: .overLimit)
    }
    if take("}") { return close() }
    repeat {
      let name = try readString()
      guard take(":") else { throw error("a colon is missing") }
      try member(name, &self)
    } while take(",")
    guard take("}") else { throw error("a comma or '}' is missing") }
    close()
  }

  /// Reads an array, calling before each value what has to read or pass over it.
  mutating func readArray(
    _ element: (inout JSONScanner) throws(StreamError) -> Void
  ) throws(StreamError) {
    try open("[")
    if take("]") { return close() }
    repeat { try element(&self) } while take(",")
    guard take("]") else { throw error("a comma or ']' is missing") }
    close()
  }

  /// Reads a string.
  mutating func readString() throws(StreamError) -> String {
    guard take("\"") else { throw error("a string is missing") }
    let start = position
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: "\""):
        defer { position += 1 }
        guard let string = String(validating: text[start..<position], as: UTF8.self) else {
          throw error("a string is no text")
        }
        return string
      case UInt8(ascii: "\\"):
        return try readEscaped(from: start)
      case 0..<0x20:
        throw error("a control character in a string")
      default:
        position += 1
      }
    }
    throw error("the text ends in a string")
  }

  /// Reads a whole number.
  mutating func readInteger() throws(StreamError) -> Int64 {
    skipSpace()
    let digits = text[position...].prefix {
      $0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
    }
    guard let value = Int64(String(decoding: digits, as: UTF8.self)) else {
      throw error("a whole number is missing")
    }
    position = digits.endIndex
    return value
  }

  /// Reads a whole number that counts something.
  mutating func readCount() throws(StreamError) -> UInt64 {
    let value = try readInteger()
    guard let count = UInt64(exactly: value) else { throw error("\(value) is less than 0") }
    return count
  }

  /// Passes over a value of any type.
  mutating func skipValue() throws(StreamError) {
    skipSpace()
    switch position < text.count ? text[position] : 0 {
    case UInt8(ascii: "{"):
      try readObject { _, scanner throws(StreamError) in try scanner.skipValue() }
    case UInt8(ascii: "["): try readArray { scanner throws(StreamError) in try scanner.skipValue() }
    case UInt8(ascii: "\""): _ = try readString()
    default:
      let word = text[position...].prefix { $0 > 0x20 && !#",]}"#.utf8.contains($0) }
      guard !word.isEmpty else { throw error("a value is missing") }
      position = word.endIndex
    }
  }

  /// Checks that nothing but white space follows.
  mutating func finish() throws(StreamError) {
    skipSpace()
    guard position == text.count else { throw error("something follows the text's end") }
  }

  /// An error at the present position.
  func error(_ message: String, code: StreamError.Code = .malformed) -> StreamError {
    StreamError(code, message, at: base + UInt64(position), section: "vmdesc")
  }

  /// Passes over a character and the white space before it, if it is next.
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < text.count,
      #" "#.utf8.first == text[position] || text[position] == 10
        || text[position] == 13 || text[position] == 9
    { position += 1 }
  }

  private mutating func open(_ character: Unicode.Scalar) throws(StreamError) {
    guard take(character) else { throw error("'\(character)' is missing") }
    depth += 1
    guard depth <= StreamLimits.descriptionDepth else {
      throw error(
        "braces and brackets nest more than \(StreamLimits.descriptionDepth) deep",
        code: .overLimit)
    }
  }

  private mutating func close() { depth -= 1 }

  /// Reads a string from its beginning on, now that it is known to have escapes.
  private mutating func readEscaped(from start: Int) throws(StreamError) -> String {
    position = start
    var units: [UInt8] = []
    while position < text.count {
      let byte = text[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: units, as: UTF8.self) else {
          throw error("a string is no text")
        }
        return string
      case UInt8(ascii: "\\"):
        units += String(try readEscape()).utf8
      case 0..<0x20:
        throw error("a control character in a string")
      default:
        units.append(byte)
      }
    }
    throw error("the text ends in a string")
  }

  private mutating func readEscape() throws(StreamError) -> Unicode.Scalar {
    guard position < text.count else { throw error("the text ends in a string") }
    let letter = text[position]
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      // Half of a surrogate pair is no character; QEMU's names have none.
      let digits = text[position...].prefix(4)
      guard digits.count == 4,
        let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16),
        let scalar = Unicode.Scalar(value)
      else { throw error("an escape that is no character") }
      position = digits.endIndex
      return scalar
    default:
      throw error("an unknown escape")
    }
  }
}
