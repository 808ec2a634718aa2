import ArgumentParser
import FileNames

/// An argument `NAME=VALUE`.
struct NamedValue: ExpressibleByArgument, Sendable, Hashable {
  /// What is before the first `=`.
  let name: String
  /// What is after it.
  let value: String

  init?(argument: String) {
    guard let equals = argument.utf8.firstIndex(of: UInt8(ascii: "=")) else { return nil }
    name = String(argument[..<equals])
    value = String(argument[argument.utf8.index(after: equals)...])
    if name.isEmpty || value.isEmpty { return nil }
  }
}

/// A bitmap as `[NODE/]NAME`.
struct BitmapArgument: Sendable, Hashable {
  /// The node; nil if it is to be known otherwise.
  let node: String?
  /// The bitmap's name.
  let name: String

  init(_ argument: String) {
    let slash = argument.utf8.firstIndex(of: UInt8(ascii: "/"))
    node = slash.map { String(argument[..<$0]) }
    name = slash.map { String(argument[argument.utf8.index(after: $0)...]) } ?? argument
  }
}

/// An argument `[NODE=]FILE`.
struct DiskArgument: ExpressibleByArgument, Sendable, Hashable {
  /// The node's name; nil if it is to be chosen.
  let node: String?
  /// The image.
  let file: String

  init?(argument: String) {
    // What has a slash before the equals sign is a file with an equals sign in its name.
    if let named = NamedValue(argument: argument), !named.name.hasSlash {
      node = named.name
      file = named.value
    } else if !argument.isEmpty {
      node = nil
      file = argument
    } else {
      return nil
    }
  }
}
