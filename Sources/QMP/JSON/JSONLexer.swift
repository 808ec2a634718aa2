/// The smallest unit of a JSON text.
enum JSONTokenKind: UInt8, Sendable {
  case leftBrace, rightBrace, leftBracket, rightBracket, colon, comma
  case integer, float, keyword, string
}

/// Cuts bytes into tokens, one byte at a time, without storing any.
///
/// Like QEMU's lexer it knows words of lower-case letters, numbers as in RFC 8259, and strings in
/// double or single quotes; whether a word or an escape means something is for the parser to say.
/// After a byte that fits nowhere it skips what follows up to the next structural character or
/// control character, so that one mistake gives one error.
struct JSONLexer: Sendable {
  /// What one byte did.
  enum Outcome: Equatable {
    /// The byte is no part of any token.
    case skipped
    /// The byte belongs to a token that is not complete yet.
    case part
    /// The byte completes a token.
    case token(JSONTokenKind)
    /// The bytes before this one were a complete token; give this byte again.
    case tokenBefore(JSONTokenKind)
    /// Skipping ends before this byte; give it again.
    case resumed
    /// The byte fits nowhere; it and the incomplete token before it are stray.
    case stray
  }

  private enum State: Equatable {
    case start, recovery
    case string(quote: UInt8)
    case escape(quote: UInt8)
    case sign, zero, digits
    case point, fraction
    case exponent, exponentSign, exponentDigits
    case keyword
  }

  private var state = State.start

  /// Takes one byte.
  mutating func consume(_ byte: UInt8) -> Outcome {
    switch state {
    case .start: return begin(byte)
    case .recovery: return recover(byte)
    case .string(let quote): return string(byte, quote: quote)
    case .escape(let quote):
      return Self.isStringByte(byte) ? part(.string(quote: quote)) : stray()
    case .keyword: return isLowerCase(byte) ? .part : complete(.keyword)
    default: return number(byte)
    }
  }

  /// How many bytes from a place on change nothing but the length of what is being read or skipped: the bulk of
  /// long texts.
  ///
  /// - Parameters:
  ///   - packet: the bytes.
  ///   - start: the place.
  /// - Returns: their number, and whether they are part of a token.
  func run(
    in packet: UnsafeBufferPointer<UInt8>, from start: Int
  ) -> (count: Int, isPart: Bool) {
    var end = start
    switch state {
    case .string(let quote):
      while end < packet.count, packet[end] != quote, packet[end] != 0x5C, packet[end] >= 0x20,
        packet[end] <= 0xFD
      { end += 1 }
      return (end - start, true)
    case .keyword:
      while end < packet.count, packet[end] >= 0x61, packet[end] <= 0x7A { end += 1 }
      return (end - start, true)
    case .recovery:
      while end < packet.count, !Self.endsRecovery(packet[end]) { end += 1 }
      return (end - start, false)
    default: return (0, true)
    }
  }

  /// Ends the text.
  ///
  /// - Returns: the token that ends here, `.stray` for an incomplete one, `.skipped` for none.
  mutating func finish() -> Outcome {
    switch state {
    case .start, .recovery:
      state = .start
      return .skipped
    default:
      // No token has a NUL byte, so it ends a complete one and makes an incomplete one stray.
      let outcome = consume(0)
      state = .start
      return outcome
    }
  }

  /// Forgets an incomplete token.
  mutating func reset() { state = .start }

  private mutating func begin(_ byte: UInt8) -> Outcome {
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
      return .skipped
    case UInt8(ascii: "{"): return .token(.leftBrace)
    case UInt8(ascii: "}"): return .token(.rightBrace)
    case UInt8(ascii: "["): return .token(.leftBracket)
    case UInt8(ascii: "]"): return .token(.rightBracket)
    case UInt8(ascii: ":"): return .token(.colon)
    case UInt8(ascii: ","): return .token(.comma)
    case UInt8(ascii: "\""), UInt8(ascii: "'"): return part(.string(quote: byte))
    case UInt8(ascii: "-"): return part(.sign)
    case UInt8(ascii: "0"): return part(.zero)
    case UInt8(ascii: "1")...UInt8(ascii: "9"): return part(.digits)
    case UInt8(ascii: "a")...UInt8(ascii: "z"): return part(.keyword)
    default: return stray()
    }
  }

  private mutating func recover(_ byte: UInt8) -> Outcome {
    guard Self.endsRecovery(byte) else { return .skipped }
    state = .start
    return .resumed
  }

  private static func endsRecovery(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x00...0x1F, 0xFE, 0xFF, UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "["),
      UInt8(ascii: "]"), UInt8(ascii: ":"), UInt8(ascii: ","):
      true
    default: false
    }
  }

  private mutating func string(_ byte: UInt8, quote: UInt8) -> Outcome {
    if byte == quote {
      state = .start
      return .token(.string)
    }
    if byte == UInt8(ascii: "\\") { return part(.escape(quote: quote)) }
    return Self.isStringByte(byte) ? .part : stray()
  }

  private mutating func number(_ byte: UInt8) -> Outcome {
    let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    let isExponent = byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E")
    switch state {
    case .sign:
      guard isDigit else { return stray() }
      return part(byte == UInt8(ascii: "0") ? .zero : .digits)
    case .zero:
      if isDigit { return stray() }
      return byte == UInt8(ascii: ".") ? part(.point) : complete(.integer)
    case .digits:
      if isDigit { return .part }
      if isExponent { return part(.exponent) }
      return byte == UInt8(ascii: ".") ? part(.point) : complete(.integer)
    case .point:
      return isDigit ? part(.fraction) : stray()
    case .fraction:
      if isDigit { return .part }
      return isExponent ? part(.exponent) : complete(.float)
    case .exponent:
      if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { return part(.exponentSign) }
      return isDigit ? part(.exponentDigits) : stray()
    case .exponentSign:
      return isDigit ? part(.exponentDigits) : stray()
    default:
      return isDigit ? .part : complete(.float)
    }
  }

  private mutating func part(_ next: State) -> Outcome {
    state = next
    return .part
  }

  private mutating func complete(_ kind: JSONTokenKind) -> Outcome {
    state = .start
    return .tokenBefore(kind)
  }

  private mutating func stray() -> Outcome {
    state = .recovery
    return .stray
  }

  private func isLowerCase(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
  }

  private static func isStringByte(_ byte: UInt8) -> Bool { (0x20...0xFD).contains(byte) }
}
