/// The members of a mapping, all of them known.
struct YAMLMembers {
  private let entries: [YAMLNode.Entry]

  init(_ entries: [YAMLNode.Entry]) { self.entries = entries }

  subscript(name: String) -> YAMLNode.Entry? { entries.first { $0.key == name } }
}

extension YAMLNode {
  /// The members of a mapping.
  ///
  /// - Parameters:
  ///   - subject: whose they are, for messages.
  ///   - allowed: their names.
  /// - Returns: the members.
  /// - Throws: the line at which there is no mapping, or an unknown key.
  func members(of subject: String, allowed: [String]) throws(LineError) -> YAMLMembers {
    guard case .map(let entries) = content else {
      throw LineError(line, "\(subject) needs keys: \(allowed.joined(separator: ", "))")
    }
    for entry in entries where !allowed.contains(entry.key) {
      throw LineError(
        entry.line,
        "\(subject) has no key '\(entry.key)'. It takes: \(allowed.joined(separator: ", "))")
    }
    return YAMLMembers(entries)
  }

  /// Text as it is written, with or without quotes.
  func text(_ subject: String) throws(LineError) -> String {
    guard case .text(let text, _) = content else {
      throw LineError(line, "\(subject) needs to be text")
    }
    return text
  }

  /// `true` or `false`.
  func truth(_ subject: String) throws(LineError) -> Bool {
    switch content {
    case .text("true", isQuoted: false): return true
    case .text("false", isQuoted: false): return false
    default: throw LineError(line, "\(subject) is true or false")
    }
  }

  /// A whole number.
  func number(_ subject: String) throws(LineError) -> Int {
    guard case .text(let text, isQuoted: false) = content, let number = Int(text) else {
      throw LineError(line, "\(subject) needs to be a whole number")
    }
    return number
  }
}
