extension BlockBitmapMapping {
  /// What QEMU puts before the text of each broken rule.
  private static let prefix = "Invalid mapping given for block-bitmap-mapping: "

  /// Checks the names in the order in which QEMU does (migration/block-dirty-bitmap.c,
  /// `construct_alias_map`): each node, then its bitmaps.
  static func checkNames(_ nodes: [Node]) throws(StreamError) {
    var names: Set<[UInt8]> = []
    var aliases: Set<[UInt8]> = []
    for node in nodes {
      guard isWellFormed(node.alias) else {
        throw refusal("The node alias '\(node.alias)' is not well-formed")
      }
      try checkLength(
        node.alias, "node alias", DirtyBitmapLimits.aliasByteCount)
      try checkLength(node.name, "node name", DirtyBitmapLimits.nodeNameByteCount)
      guard names.insert(Array(node.name.utf8)).inserted else {
        throw refusal("The node name '\(node.name)' is mapped twice")
      }
      guard aliases.insert(Array(node.alias.utf8)).inserted else {
        throw refusal("The node alias '\(node.alias)' is used twice")
      }
      try checkBitmaps(of: node)
    }
  }

  private static func checkBitmaps(of node: Node) throws(StreamError) {
    var names: Set<[UInt8]> = []
    var aliases: Set<[UInt8]> = []
    for bitmap in node.bitmaps {
      try checkLength(bitmap.alias, "bitmap alias", DirtyBitmapLimits.aliasByteCount)
      try checkLength(bitmap.name, "bitmap name", DirtyBitmapLimits.bitmapNameByteCount)
      guard names.insert(Array(bitmap.name.utf8)).inserted else {
        throw refusal("The bitmap '\(node.name)'/'\(bitmap.name)' is mapped twice")
      }
      guard aliases.insert(Array(bitmap.alias.utf8)).inserted else {
        throw refusal("The bitmap alias '\(node.alias)'/'\(bitmap.alias)' is used twice")
      }
    }
  }

  private static func checkLength(
    _ name: String, _ kind: String, _ limit: Int
  ) throws(StreamError) {
    guard name.utf8.count <= limit else {
      throw refusal("The \(kind) '\(name)' is longer than \(limit) bytes")
    }
  }

  /// QEMU's rule for ids (util/id.c): a letter, then letters, digits, `-`, `.` and `_`.
  static func isWellFormed(_ id: String) -> Bool {
    guard let first = id.utf8.first, isLetter(first) else { return false }
    return id.utf8.allSatisfy { byte in
      isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || "-._".utf8.contains(byte)
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
  }

  private static func refusal(_ text: String) -> StreamError {
    StreamError(.malformed, prefix + text)
  }
}
