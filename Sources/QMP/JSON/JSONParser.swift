/// A token of a text and where its bytes are.
struct JSONToken: Sendable {
  let kind: JSONTokenKind
  let range: Range<Int>
}

/// Makes a value of the tokens of one text. Keeps its own stack, so that depth costs no recursion.
struct JSONParser {
  private let bytes: [UInt8]
  private let tokens: [JSONToken]
  private var index = 0
  private var open: [Container] = []

  /// An object or array that is being read.
  private struct Container {
    let isObject: Bool
    var elements: [QMPValue] = []
    var members: [QMPValue.Member] = []
    /// Names as bytes: `String` calls two spellings of one letter equal, JSON does not.
    var names: Set<[UInt8]> = []
    var pendingName: String?
  }

  init(bytes: [UInt8], tokens: [JSONToken]) {
    self.bytes = bytes
    self.tokens = tokens
  }

  /// Reads the text.
  ///
  /// - Throws: the first error, in QEMU's words.
  mutating func parse() throws(QMPError) -> QMPValue {
    while true {
      var finished = try startValue()
      while let value = finished {
        guard !open.isEmpty else { return value }
        finished = try place(value)
      }
    }
  }

  /// Reads a scalar or an empty container, or opens a container.
  ///
  /// - Returns: nil if a container was opened.
  private mutating func startValue() throws(QMPError) -> QMPValue? {
    let token = try next()
    switch token.kind {
    case .leftBrace, .leftBracket:
      let isObject = token.kind == .leftBrace
      if try peek() == (isObject ? .rightBrace : .rightBracket) {
        index += 1
        return isObject ? .object([]) : .array([])
      }
      open.append(Container(isObject: isObject))
      return nil
    case .string:
      return .string(try JSONString.decode(bytes[token.range]))
    case .integer, .float:
      return try number(token)
    case .keyword:
      return try keyword(token)
    case .rightBrace, .rightBracket, .colon, .comma:
      throw .parse("expecting value")
    }
  }

  /// Puts a value where it belongs in the innermost container.
  ///
  /// - Returns: the container if that is complete now; nil if another value has to be read.
  private mutating func place(_ value: QMPValue) throws(QMPError) -> QMPValue? {
    let last = open.count - 1
    guard open[last].isObject else {
      open[last].elements.append(value)
      switch try next().kind {
      case .comma: return nil
      case .rightBracket: return .array(open.removeLast().elements)
      default: throw .parse("expected separator in list")
      }
    }
    guard let name = open[last].pendingName else {
      guard case .string(let name) = value else {
        throw .parse("key is not a string in object")
      }
      guard try next().kind == .colon else { throw .parse("missing : in object pair") }
      open[last].pendingName = name
      return nil
    }
    guard open[last].names.insert(Array(name.utf8)).inserted else {
      throw .parse("duplicate key")
    }
    open[last].members.append(.init(name, value))
    open[last].pendingName = nil
    switch try next().kind {
    case .comma: return nil
    case .rightBrace: return .object(open.removeLast().members)
    default: throw .parse("expected separator in dict")
    }
  }

  private func number(_ token: JSONToken) throws(QMPError) -> QMPValue {
    let text = String(decoding: bytes[token.range], as: UTF8.self)
    if token.kind == .integer {
      if let value = Int64(text) { return .int(value) }
      if let value = UInt64(text) { return .uint(value) }
    }
    guard let value = Double(text), value.isFinite else {
      throw QMPError(
        .genericError, QMPError.parse("number", bytes[token.range]).desc + " is out of range")
    }
    return .double(value)
  }

  private func keyword(_ token: JSONToken) throws(QMPError) -> QMPValue {
    switch String(decoding: bytes[token.range], as: UTF8.self) {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "null": return .null
    default: throw .parse("invalid keyword", bytes[token.range])
    }
  }

  private mutating func next() throws(QMPError) -> JSONToken {
    _ = try peek()
    defer { index += 1 }
    return tokens[index]
  }

  private func peek() throws(QMPError) -> JSONTokenKind {
    guard index < tokens.count else { throw .parse("premature EOI") }
    return tokens[index].kind
  }
}
