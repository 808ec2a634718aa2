extension NextStep {
  /// A part of a message.
  public enum Part: Sendable, Hashable {
    /// What is to be read.
    case prose(String)
    /// A step as its description has it.
    case step(NextStep)
  }

  /// Takes a message apart.
  ///
  /// A step is what stands between backticks and is, byte for byte, a step's ``description``. Everything else is prose,
  /// other backticks included: joined again, the parts are the message.
  public static func parts(of message: String) -> [Part] {
    var parts: [Part] = []
    var prose = ""
    var rest = message[...]
    while let start = rest.firstRange(of: "`")?.lowerBound {
      prose += rest[..<start]
      rest = rest[start...]
      if let (step, end) = leadingStep(of: rest) {
        if !prose.isEmpty { parts.append(.prose(prose)) }
        parts.append(.step(step))
        prose = ""
        rest = rest[end...]
      } else {
        prose += "`"
        rest = rest[rest.utf8.index(after: start)...]
      }
    }
    prose += rest
    if !prose.isEmpty { parts.append(.prose(prose)) }
    return parts
  }

  /// The step with which a text begins, and where it ends; nil if it begins with none.
  private static func leadingStep(of text: Substring) -> (NextStep, String.Index)? {
    let opening = "`snapjob "
    guard text.hasPrefix(opening) else { return nil }
    let bytes = text.utf8
    var words: [String] = []
    var word: [UInt8] = []
    var isQuoted = false
    var index = bytes.index(bytes.startIndex, offsetBy: opening.utf8.count)
    while index < bytes.endIndex {
      let byte = bytes[index]
      index = bytes.index(after: index)
      switch byte {
      case UInt8(ascii: "'"): isQuoted.toggle()
      case _ where isQuoted: word.append(byte)
      case UInt8(ascii: #"\"#) where index < bytes.endIndex:
        word.append(bytes[index])
        index = bytes.index(after: index)
      case UInt8(ascii: " "), UInt8(ascii: "`"):
        words.append(String(decoding: word, as: UTF8.self))
        word = []
        guard byte == UInt8(ascii: "`") else { continue }
        guard let step = NextStep(arguments: words),
          step.description.utf8.elementsEqual(bytes[..<index])
        else { return nil }
        return (step, index)
      default: word.append(byte)
      }
    }
    return nil
  }

  /// Makes a step of all words behind the program's name; nil if there is no command.
  private init?(arguments: [String]) {
    var words = arguments[...]
    var values: [String: String] = [:]
    for option in ["--catalog", "-m"] where words.first == option && words.count > 1 {
      values[option] = words.dropFirst().first
      words = words.dropFirst(2)
    }
    guard !words.isEmpty else { return nil }
    self.init(Array(words), machine: values["-m"], catalog: values["--catalog"])
  }
}
