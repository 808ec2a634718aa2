/// Strings as JSON writes them.
enum JSONString {
  /// Takes quotes and escapes away.
  ///
  /// - Parameter token: the bytes with their quotes.
  /// - Returns: the text.
  /// - Throws: QEMU's texts for bad escapes, bad UTF-8 and what is no character.
  static func decode(_ token: ArraySlice<UInt8>) throws(QMPError) -> String {
    var rest = token.dropFirst().dropLast()
    var result = ""
    while let escape = rest.firstIndex(of: UInt8(ascii: "\\")) {
      result += try plain(rest[..<escape])
      rest = rest[escape...]
      result.unicodeScalars.append(try takeEscape(&rest))
    }
    return result + (try plain(rest))
  }

  private static func plain(_ bytes: ArraySlice<UInt8>) throws(QMPError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self),
      !text.unicodeScalars.contains(where: isNoncharacter)
    else { throw .parse("invalid UTF-8 sequence in string") }
    return text
  }

  private static func takeEscape(
    _ rest: inout ArraySlice<UInt8>
  ) throws(QMPError) -> Unicode.Scalar {
    let letter = rest.dropFirst().first
    switch letter {
    case UInt8(ascii: "u"): return try takeCodePoint(&rest)
    case UInt8(ascii: "b"): rest = rest.dropFirst(2); return "\u{8}"
    case UInt8(ascii: "f"): rest = rest.dropFirst(2); return "\u{C}"
    case UInt8(ascii: "n"): rest = rest.dropFirst(2); return "\n"
    case UInt8(ascii: "r"): rest = rest.dropFirst(2); return "\r"
    case UInt8(ascii: "t"): rest = rest.dropFirst(2); return "\t"
    case .some(let byte) where #""'\/"#.utf8.contains(byte):
      rest = rest.dropFirst(2)
      return Unicode.Scalar(byte)
    default:
      throw .parse("invalid escape sequence in string")
    }
  }

  /// Reads `\uXXXX`, and a second one if the first is the leading half of a pair.
  private static func takeCodePoint(
    _ rest: inout ArraySlice<UInt8>
  ) throws(QMPError) -> Unicode.Scalar {
    let whole = rest
    var codePoint = hexadecimal(rest.dropFirst(2).prefix(4))
    rest = rest.dropFirst(6)
    if let leading = codePoint, (0xD800...0xDBFF).contains(leading),
      rest.starts(with: #"\u"#.utf8)
    {
      codePoint = hexadecimal(rest.dropFirst(2).prefix(4)).flatMap { trailing in
        (0xDC00...0xDFFF).contains(trailing)
          ? 0x10000 + ((leading & 0x3FF) << 10) + (trailing & 0x3FF) : nil
      }
      if codePoint != nil { rest = rest.dropFirst(6) }
    }
    guard let scalar = codePoint.flatMap(Unicode.Scalar.init), !isNoncharacter(scalar) else {
      let text = String(decoding: whole[..<rest.startIndex], as: UTF8.self)
      throw .parse("\(text) is not a valid Unicode character")
    }
    return scalar
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt32? {
    guard digits.count == 4 else { return nil }
    var value: UInt32 = 0
    for digit in digits {
      guard let number = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
      value = value << 4 | UInt32(number)
    }
    return value
  }

  /// Unicode's 66 noncharacters, which QEMU refuses.
  static func isNoncharacter(_ scalar: Unicode.Scalar) -> Bool {
    (0xFDD0...0xFDEF).contains(scalar.value) || scalar.value & 0xFFFE == 0xFFFE
  }
}
