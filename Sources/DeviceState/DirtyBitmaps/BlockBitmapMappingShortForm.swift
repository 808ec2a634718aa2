extension BlockBitmapMapping {
  /// Makes a mapping of its short form, `disk0/b0=alias0/balias0`: one element for each bitmap.
  ///
  /// Names with a `/` or `=` in them, and transformations, cannot be written so.
  ///
  /// - Throws: ``StreamError`` for an element of another form, else as ``init(_:)``.
  public init(shortForms: [String]) throws(StreamError) {
    var nodes: [Node] = []
    for text in shortForms {
      guard let (node, bitmap) = Self.parse(text) else {
        throw StreamError(
          .malformed,
          "'\(text)' is no mapping. Write NODE/BITMAP=ALIAS/ALIAS, as in disk0/b0=alias0/balias0")
      }
      // One node under two aliases is left to the rules, which have a text for it.
      if let index = nodes.firstIndex(where: {
        $0.name.utf8.elementsEqual(node.name.utf8) && $0.alias.utf8.elementsEqual(node.alias.utf8)
      }) {
        nodes[index] = Node(
          name: node.name, alias: node.alias, bitmaps: nodes[index].bitmaps + [bitmap])
      } else {
        nodes.append(Node(name: node.name, alias: node.alias, bitmaps: [bitmap]))
      }
    }
    try self.init(nodes)
  }

  /// Whether a text has the short form, whatever the names in it.
  public static func isShortForm(_ text: String) -> Bool { parse(text) != nil }

  private static func parse(_ text: String) -> (Node, Bitmap)? {
    // By bytes: a mark behind a sign makes another character of the two.
    let sides = text.utf8.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
    guard sides.count == 2 else { return nil }
    let words = sides.map {
      $0.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        .map { String(Substring($0)) }
    }
    guard words.allSatisfy({ $0.count == 2 }), words.joined().allSatisfy({ !$0.isEmpty }) else {
      return nil
    }
    return (
      Node(name: words[0][0], alias: words[1][0], bitmaps: []),
      Bitmap(name: words[0][1], alias: words[1][1])
    )
  }
}
