/// What stands for `{date}`, `{time}`, `{machine}` and `{host}` in the texts of a job file.
public struct Placeholders: Sendable, Hashable {
  private let values: [String: String]

  /// Collects the values.
  ///
  /// - Parameters:
  ///   - date: `2026-11-21`, local.
  ///   - time: `041029`, local.
  ///   - host: the computer's name.
  public init(date: String, time: String, host: String) {
    values = ["date": date, "time": time, "host": host]
  }

  /// A text with every placeholder replaced; `{{` and `}}` stand for the braces themselves.
  ///
  /// - Throws: what is wrong with it.
  func expand(_ text: String, machine: String?, line: Int) throws(LineError) -> String {
    var result = ""
    // A mark behind a brace belongs to what follows.
    var rest = text.unicodeScalars[...]
    while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
      result += String(rest[..<brace])
      let next = rest.index(after: brace)
      if next < rest.endIndex, rest[next] == rest[brace] {
        result.unicodeScalars.append(rest[brace])
        rest = rest[rest.index(after: next)...]
        continue
      }
      guard rest[brace] == "{", let end = rest[next...].firstIndex(of: "}") else {
        throw LineError(line, "a brace without its other half in '\(text)'. To mean it: {{ or }}")
      }
      let name = String(rest[next..<end])
      guard let value = name == "machine" ? machine : values[name] else {
        throw LineError(
          line,
          "{\(name)} stands for nothing here. There are {date}, {time}, {machine} and {host}; "
            + "for the brace itself write {{")
      }
      result += value
      rest = rest[rest.index(after: end)...]
    }
    return result + String(rest)
  }
}
