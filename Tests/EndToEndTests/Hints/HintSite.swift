import Glibc
import SystemPackage
import TestOracles

/// A place in the sources that makes a step: `CommitGate.swift: recover`.
struct HintSite: Hashable, Comparable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }

  static func < (one: HintSite, other: HintSite) -> Bool { one.description < other.description }

  /// All places, each as often as it is there.
  static func all() throws -> [HintSite] {
    try sources().flatMap { path, text in
      let file = path.split(separator: "/").last ?? ""
      return steps(in: text).map { HintSite("\(file): \($0.joined(separator: " "))") }
    }
  }

  /// The Swift files of the program, with their text.
  static func sources() throws -> [(path: String, text: String)] {
    let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/Sources"
    let list = try Command.run("find", [root, "-name", "*.swift"]).text
    return try list.split(separator: "\n").map { path in
      (String(path), try Command.run("cat", ["\(path)"]).text)
    }
  }

  /// The words that are spelled out in each construction of a step.
  private static func steps(in text: String) -> [[String]] {
    let marker = "NextStep("
    return text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.drop { $0 == " " }.hasPrefix("///") ? "" : $0 }.joined(separator: "\n")
      .split(separator: marker, omittingEmptySubsequences: false).dropFirst()
      .compactMap { rest in
        let words = literals(ofCall: rest)
        return words.isEmpty ? nil : words
      }
  }

  /// The literals without interpolations up to the end of a call.
  private static func literals(ofCall text: Substring) -> [String] {
    var depth = 1
    var literals: [String] = []
    var rest = text
    while depth > 0, let character = rest.popFirst() {
      switch character {
      case "(": depth += 1
      case ")": depth -= 1
      case "\"":
        let literal = rest.prefix { $0 != "\"" }
        rest = rest.dropFirst(literal.count + 1)
        if !literal.contains("\\(") { literals.append(String(literal)) }
      default: break
      }
    }
    return literals
  }
}

extension HintSite {
  /// The command's name.
  var verb: String? {
    description.split(separator: " ").dropFirst().first.map(String.init)
  }
}
