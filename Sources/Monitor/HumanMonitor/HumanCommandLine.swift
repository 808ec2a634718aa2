/// A line of the monitor for people, read from its start; QEMU's way (monitor/hmp.c).
///
/// Not by characters: a mark behind a quote or a blank belongs to what follows.
struct HumanCommandLine {
  /// The whole line.
  let text: String
  private(set) var rest: Substring.UnicodeScalarView

  init(_ text: String) {
    self.text = text
    rest = text.unicodeScalars[...]
  }

  /// The line up to what was not read yet, without white space at its end.
  var readPart: String {
    var end = rest.startIndex
    let scalars = text.unicodeScalars
    while end > scalars.startIndex, scalars[scalars.index(before: end)].isCommandSpace {
      end = scalars.index(before: end)
    }
    return String(text[..<end])
  }

  /// Whether nothing is left but white space.
  mutating func isAtEnd() -> Bool {
    skipSpace()
    return rest.isEmpty
  }

  /// The name of a command: up to white space or a slash. Nil at the end.
  mutating func nextName() -> Substring? {
    skipSpace()
    let name = rest.prefix { $0 != "/" && !$0.isCommandSpace }
    if name.isEmpty, rest.isEmpty { return nil }
    rest = rest[name.endIndex...]
    return Substring(name)
  }

  /// Reads an option if it is there.
  ///
  /// - Parameters:
  ///   - letter: the option's letter.
  ///   - others: the letters of options that may come instead.
  /// - Returns: whether it was there.
  /// - Throws: ``HumanSyntaxError`` for an option that nobody knows.
  mutating func nextOption(
    _ letter: Character, others: [Character]
  ) throws(HumanSyntaxError) -> Bool {
    skipSpace()
    guard rest.first == "-" else { return false }
    let given = rest.dropFirst().first.map(Character.init)
    if given == letter {
      rest = rest.dropFirst(2)
      return true
    }
    guard let given, others.contains(given) else {
      throw HumanSyntaxError("unsupported option -\(given.map(String.init) ?? "")")
    }
    return false
  }

  /// A word, or a text in double quotes with `\n`, `\r`, `\\`, `\'` and `\"` in it. Nil at the end,
  /// or if the quotes are not closed.
  mutating func nextString() -> String? {
    skipSpace()
    guard rest.first == "\"" else {
      let word = rest.prefix { !$0.isCommandSpace }
      rest = rest[word.endIndex...]
      return word.isEmpty ? nil : String(word)
    }
    var result = ""
    var next = rest.dropFirst()
    while let character = next.popFirst() {
      if character == "\"" {
        rest = next
        return result
      }
      guard character == "\\" else {
        result.unicodeScalars.append(character)
        continue
      }
      switch next.popFirst() {
      case "n": result.append("\n")
      case "r": result.append("\r")
      case let escaped? where "\\'\"".unicodeScalars.contains(escaped):
        result.unicodeScalars.append(escaped)
      default: return nil
      }
    }
    return nil
  }

  private mutating func skipSpace() { rest = rest.drop { $0.isCommandSpace } }
}

/// What is wrong with the words after a command's name.
struct HumanSyntaxError: Error {
  let text: String

  init(_ text: String) { self.text = text }
}

extension Unicode.Scalar {
  /// White space as C's `isspace` has it.
  fileprivate var isCommandSpace: Bool {
    switch self {
    case " ", "\t", "\n", "\r", "\u{b}", "\u{c}": true
    default: false
    }
  }
}
