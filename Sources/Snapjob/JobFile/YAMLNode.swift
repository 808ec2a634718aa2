import Yams

/// A value of a YAML document with its line.
///
/// Anchors and aliases are refused before the document is composed: nested ones describe, in a few
/// lines, a value of any size.
struct YAMLNode: Sendable {
  /// One `key: value`.
  struct Entry: Sendable {
    let key: String
    let line: Int
    let value: YAMLNode
  }

  enum Content: Sendable {
    case null
    /// Text; without quotes it may have been meant as a number or a truth value.
    case text(String, isQuoted: Bool)
    case list([YAMLNode])
    case map([Entry])
  }

  /// No job file is deeper than half of this.
  static let maximumDepth = 16

  let line: Int
  let content: Content

  /// Reads the only document of a text.
  ///
  /// - Throws: what is wrong with it.
  init(parsing text: String) throws(LineError) {
    try Self.refuseAliases(in: text)
    let root: Node?
    do {
      root = try Parser(yaml: text, encoding: .utf8).singleRoot()
    } catch let error as YamlError {
      throw LineError(error, text)
    } catch {
      throw LineError(1, "\(error)")
    }
    guard let root else { throw LineError(1, "the file is empty; it needs a list of jobs") }
    self = try YAMLNode(root, depth: 0, line: 1)
  }

  private init(_ node: Node, depth: Int, line: Int) throws(LineError) {
    let line = node.mark?.line ?? line
    guard depth < Self.maximumDepth else {
      throw LineError(line, "values are nested deeper than \(Self.maximumDepth) levels")
    }
    switch node {
    case .scalar(let scalar):
      let isQuoted = scalar.style != .plain && scalar.style != .any
      content =
        !isQuoted && ["", "~", "null"].contains(scalar.string)
        ? .null : .text(scalar.string, isQuoted: isQuoted)
    case .sequence(let nodes):
      var list: [YAMLNode] = []
      for node in nodes { list.append(try YAMLNode(node, depth: depth + 1, line: line)) }
      content = .list(list)
    case .mapping(let pairs):
      var entries: [Entry] = []
      for (key, value) in pairs {
        let keyLine = key.mark?.line ?? line
        guard case .scalar(let name) = key else {
          throw LineError(keyLine, "a key has to be a word")
        }
        entries.append(
          Entry(
            key: name.string, line: keyLine,
            value: try YAMLNode(value, depth: depth + 1, line: keyLine)))
      }
      content = .map(entries)
    case .alias: throw LineError(line, Self.aliasMessage)
    }
    self.line = line
  }

  private static let aliasMessage =
    "anchors (&name) and aliases (*name) are not taken. Write the value out"

  /// Refuses a text in which a name follows `&` at one place and `*` at another, each at the start of
  /// a word, as anchors and aliases do.
  private static func refuseAliases(in text: String) throws(LineError) {
    var anchors: Set<Substring> = []
    var aliases: [(name: Substring, line: Int)] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    where line.utf8.contains(where: { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: "*") }) {
      let words = line.split { " \t\r[]{},:?-\"'".contains($0) }
      for word in words where word.count > 1 {
        if word.hasPrefix("&") { anchors.insert(word.dropFirst()) }
        if word.hasPrefix("*") { aliases.append((word.dropFirst(), index + 1)) }
      }
    }
    if let alias = aliases.first(where: { anchors.contains($0.name) }) {
      throw LineError(alias.line, aliasMessage)
    }
  }
}

extension LineError {
  /// What libyaml says.
  fileprivate init(_ error: YamlError, _ text: String) {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.init(mark.line, "this is not YAML: \(problem)")
    case .duplicatedKeysInMapping(let keys, let context):
      let names = keys.map { "'\($0)'" }.joined(separator: ", ")
      self.init(context.mark.line, "the key \(names) is there twice. Leave one out")
    case .reader(let problem, let offset, _, _):
      let before = text.utf8.prefix(offset ?? 0)
      self.init(
        1 + before.count { $0 == UInt8(ascii: "\n") }, "this is not YAML: \(problem)")
    default: self.init(1, "this is not YAML: \(error)")
    }
  }
}
