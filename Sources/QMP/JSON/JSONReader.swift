/// Reads JSON texts from a stream of bytes: packets may split a text or carry several.
///
/// Errors have QEMU's texts. After one, what was read of that text is dropped and reading goes on
/// behind it. At most one text is held in memory, within ``JSONLimits``.
public struct JSONReader: Sendable {
  private let limits: JSONLimits
  private var lexer = JSONLexer()
  /// The bytes of all tokens of the current text, one after the other.
  private var bytes: [UInt8] = []
  private var tokens: [JSONToken] = []
  /// Where the token that is being read begins in `bytes`.
  private var tokenStart = 0
  private var openBraces = 0
  private var openBrackets = 0

  /// Makes a reader.
  public init(limits: JSONLimits = JSONLimits()) { self.limits = limits }

  /// Takes bytes.
  ///
  /// - Parameters:
  ///   - packet: the bytes, cut anywhere.
  ///   - emit: called for each complete value and for each error, in order.
  public mutating func feed(
    _ packet: some Sequence<UInt8>, emit: (Result<QMPValue, QMPError>) -> Void
  ) {
    let isDone: Void? = packet.withContiguousStorageIfAvailable { feed($0, emit) }
    if isDone == nil { Array(packet).withUnsafeBufferPointer { feed($0, emit) } }
  }

  private mutating func feed(
    _ packet: UnsafeBufferPointer<UInt8>, _ emit: (Result<QMPValue, QMPError>) -> Void
  ) {
    var index = 0
    while index < packet.count {
      let run = lexer.run(in: packet, from: index)
      if run.count > 0 {
        // One byte beyond the limit is what ends a text.
        let count = run.isPart ? min(run.count, limits.byteCount + 1 - bytes.count) : run.count
        if run.isPart { store(packet[index..<index + count]) }
        index += count
      } else {
        while !take(packet[index], emit) {}
        index += 1
      }
      if bytes.count > limits.byteCount {
        lexer.reset()
        emit(.failure(Self.tooManyBytes))
        dropText()
      }
    }
  }

  /// Ends the stream: what is left is a text, complete or not.
  public mutating func finish(emit: (Result<QMPValue, QMPError>) -> Void) {
    switch lexer.finish() {
    case .tokenBefore(let kind): enter(kind, emit)
    case .stray: emitStray(emit)
    default: break
    }
    if !tokens.isEmpty { emitText(emit) }
  }

  /// Takes one byte.
  ///
  /// - Returns: false if the byte has to be given again.
  private mutating func take(_ byte: UInt8, _ emit: (Result<QMPValue, QMPError>) -> Void) -> Bool {
    switch lexer.consume(byte) {
    case .skipped:
      return true
    case .part:
      store(CollectionOfOne(byte))
      return true
    case .token(let kind):
      store(CollectionOfOne(byte))
      enter(kind, emit)
      return true
    case .tokenBefore(let kind):
      enter(kind, emit)
      return false
    case .resumed:
      return false
    case .stray:
      store(CollectionOfOne(byte))
      emitStray(emit)
      return true
    }
  }

  /// Above this size a text gets all the room that it may ever take.
  private static let freeGrowth = 1 << 20

  /// Keeps bytes of the text. Room for a long one is asked of the system once: it costs memory only where it is
  /// filled, nothing is copied as it grows, and it goes back as a whole.
  private mutating func store(_ part: some Collection<UInt8>) {
    let count = bytes.count + part.count
    if count > bytes.capacity, count >= Self.freeGrowth {
      bytes.reserveCapacity(max(count, limits.byteCount + 1))
    }
    bytes.append(contentsOf: part)
  }

  private mutating func enter(
    _ kind: JSONTokenKind, _ emit: (Result<QMPValue, QMPError>) -> Void
  ) {
    switch kind {
    case .leftBrace: openBraces += 1
    case .rightBrace: openBraces -= 1
    case .leftBracket: openBrackets += 1
    case .rightBracket: openBrackets -= 1
    default: break
    }
    guard bytes.count <= limits.byteCount else {
      emit(.failure(Self.tooManyBytes))
      return dropText()
    }
    guard tokens.count < limits.tokenCount else {
      emit(.failure(QMPError(.genericError, "JSON token count limit exceeded")))
      return dropText()
    }
    guard openBraces + openBrackets <= limits.depth else {
      emit(.failure(QMPError(.genericError, "JSON nesting depth limit exceeded")))
      return dropText()
    }
    tokens.append(JSONToken(kind: kind, range: tokenStart..<bytes.count))
    tokenStart = bytes.count
    let isOpen =
      openBraces >= 0 && openBrackets >= 0 && (openBraces > 0 || openBrackets > 0)
    if !isOpen { emitText(emit) }
  }

  private static let tooManyBytes = QMPError(.genericError, "JSON token size limit exceeded")

  private mutating func emitText(_ emit: (Result<QMPValue, QMPError>) -> Void) {
    var parser = JSONParser(bytes: bytes, tokens: tokens)
    dropText()
    do throws(QMPError) {
      emit(.success(try parser.parse()))
    } catch {
      emit(.failure(error))
    }
  }

  private mutating func emitStray(_ emit: (Result<QMPValue, QMPError>) -> Void) {
    emit(.failure(.parse("stray", bytes[tokenStart...])))
    dropText()
  }

  private mutating func dropText() {
    bytes.removeAll(keepingCapacity: bytes.count <= 1 << 16)
    tokens.removeAll(keepingCapacity: tokens.count <= 1 << 12)
    tokenStart = 0
    openBraces = 0
    openBrackets = 0
  }
}

extension QMPError {
  /// An error of the JSON grammar.
  static func parse(_ text: String) -> QMPError {
    QMPError(.genericError, "JSON parse error, \(text)")
  }

  /// Bytes of a token that its error repeats; QEMU repeats all, which may be the whole text.
  private static let excerptLength = 1 << 12

  /// An error about one token: what is wrong with it, and the token, of a long one the beginning.
  static func parse(_ fault: String, _ token: ArraySlice<UInt8>) -> QMPError {
    .parse("\(fault) '\(String(decoding: token.prefix(excerptLength), as: UTF8.self))'")
  }
}
