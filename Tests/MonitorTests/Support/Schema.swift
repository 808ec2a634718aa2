import TestOracles
import Testing

/// A reply to `query-qmp-schema`, with its entries by name.
struct Schema {
  private let entries: [JSONValue]
  private let byName: [String: JSONValue]

  init(_ value: JSONValue) throws {
    entries = try #require(value.array)
    byName = Dictionary(
      entries.map { ($0["name"]?.string ?? "", $0) }, uniquingKeysWith: { first, _ in first })
  }

  subscript(name: String) -> JSONValue? { byName[name] }

  func names(ofKind kind: String) -> [String] {
    entries.filter { $0["meta-type"]?.string == kind }.compactMap { $0["name"]?.string }
  }

  /// Names that several entries have.
  var duplicates: [String] {
    Dictionary(grouping: entries.compactMap { $0["name"]?.string }) { $0 }
      .filter { $0.value.count > 1 }.map(\.key)
  }

  /// References to types that have no entry.
  var unresolved: [String] { entries.flatMap(references).filter { byName[$0] == nil } }

  private func references(_ entry: JSONValue) -> [String] {
    let own = ["arg-type", "ret-type", "element-type"].compactMap { entry[$0]?.string }
    let members = (entry["members"]?.array ?? []) + (entry["variants"]?.array ?? [])
    return own + members.compactMap { $0["type"]?.string }
  }

  /// Where a command or event differs from another schema's, apart from what may differ.
  func differences(
    _ name: String, from other: Schema, except isExpected: (String) -> Bool
  ) -> [String] {
    var differences: [String] = []
    for (key, short) in [("arg-type", "arg"), ("ret-type", "ret")] {
      guard let type = self[name]?[key]?.string, let theirs = other[name]?[key]?.string else {
        continue
      }
      differences += compare(type, with: theirs, in: other, at: "\(name).\(short)", depth: 0)
    }
    if self[name]?["allow-oob"] != other[name]?["allow-oob"] {
      differences.append("\(name).allow-oob")
    }
    return differences.filter { !isExpected($0) }
  }

  private func compare(
    _ type: String, with their: String, in other: Schema, at place: String, depth: Int
  ) -> [String] {
    guard depth < 8, let mine = self[type], let theirs = other[their] else { return [] }
    let kind = mine["meta-type"]?.string
    guard kind == theirs["meta-type"]?.string else { return [place] }
    switch kind {
    case "builtin": return type == their ? [] : [place]
    case "array":
      return compare(
        mine["element-type"]?.string ?? "", with: theirs["element-type"]?.string ?? "", in: other,
        at: place, depth: depth + 1)
    case "enum":
      // Fewer words are right where there are fewer things.
      let words = Set((theirs["values"]?.array ?? []).compactMap(\.string))
      return (mine["values"]?.array ?? []).compactMap(\.string).filter {
        !words.contains($0) && !$0.hasPrefix("x-")
      }.map { "\(place)=\($0)" }
    default:
      return compareMembers(mine, with: theirs, in: other, at: place, depth: depth)
    }
  }

  private func compareMembers(
    _ mine: JSONValue, with theirs: JSONValue, in other: Schema, at place: String, depth: Int
  ) -> [String] {
    var differences = mine["tag"] == theirs["tag"] ? [] : ["\(place).tag"]
    let (mine, theirs) = (members(mine), members(theirs))
    for name in Set(mine.keys).union(theirs.keys) {
      let place = "\(place).\(name)"
      guard let own = mine[name], let their = theirs[name] else {
        differences.append(place)
        continue
      }
      if (own["default"] != nil) != (their["default"] != nil) { differences.append(place) }
      differences += compare(
        own["type"]?.string ?? "", with: their["type"]?.string ?? "", in: other, at: place,
        depth: depth + 1)
    }
    return differences
  }

  private func members(_ object: JSONValue) -> [String: JSONValue] {
    Dictionary(
      (object["members"]?.array ?? []).map { ($0["name"]?.string ?? "", $0) },
      uniquingKeysWith: { first, _ in first })
  }
}
