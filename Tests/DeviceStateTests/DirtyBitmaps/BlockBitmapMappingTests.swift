import DeviceState
import Testing

@Suite struct BlockBitmapMappingTests {
  typealias Node = BlockBitmapMapping.Node
  typealias Bitmap = BlockBitmapMapping.Bitmap

  /// A broken rule and QEMU's text for it.
  struct Refusal: CustomTestStringConvertible {
    let nodes: [Node]
    let text: String

    init(_ nodes: [Node], _ text: String) {
      self.nodes = nodes
      self.text = text
    }

    var testDescription: String { String(text.prefix(60)) }
  }

  private static func node(_ name: String, _ alias: String, _ bitmaps: (String, String)...) -> Node
  {
    Node(name: name, alias: alias, bitmaps: bitmaps.map { Bitmap(name: $0.0, alias: $0.1) })
  }

  private static func long(_ count: Int, _ letter: String = "x") -> String {
    String(repeating: letter, count: count)
  }

  static let refusals = [
    Refusal([node("n", "1a")], "The node alias '1a' is not well-formed"),
    Refusal([node("n", "")], "The node alias '' is not well-formed"),
    Refusal([node("n", "a b")], "The node alias 'a b' is not well-formed"),
    Refusal([node("n", "é")], "The node alias 'é' is not well-formed"),
    Refusal([node("n", long(256))], "The node alias '\(long(256))' is longer than 255 bytes"),
    Refusal([node(long(32), "a")], "The node name '\(long(32))' is longer than 31 bytes"),
    Refusal([node("n", "a"), node("n", "b")], "The node name 'n' is mapped twice"),
    Refusal([node("n", "a"), node("m", "a")], "The node alias 'a' is used twice"),
    Refusal([node("n", "a"), node("n", "a")], "The node name 'n' is mapped twice"),
    Refusal(
      [node("n", "a", ("b", long(256)))], "The bitmap alias '\(long(256))' is longer than 255 bytes"
    ),
    Refusal(
      [node("n", "a", (long(1024), "b"))],
      "The bitmap name '\(long(1024))' is longer than 1023 bytes"
    ),
    Refusal([node("n", "a", ("b", "x"), ("b", "y"))], "The bitmap 'n'/'b' is mapped twice"),
    Refusal([node("n", "a", ("b", "x"), ("c", "x"))], "The bitmap alias 'a'/'x' is used twice"),
    // Each node with its bitmaps before the next one.
    Refusal(
      [node("n", "a", ("b", "x"), ("b", "y")), node("n", "1")], "The bitmap 'n'/'b' is mapped twice"
    ),
    Refusal([node(long(32), "1")], "The node alias '1' is not well-formed"),
  ]

  @Test("names are bytes: two spellings of one letter are two bitmaps")
  func spellings() throws {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
    let text = [
      "n/\(composed)=a/\(decomposed)", "n/\(decomposed)=a/\(composed)", "n/\u{301}=a/\u{301}",
    ]
    let node = try #require(BlockBitmapMapping(shortForms: text).node(named: "n"))
    #expect(node.bitmaps.count == 3)
    for (name, alias) in [(composed, decomposed), (decomposed, composed), ("\u{301}", "\u{301}")] {
      #expect(node.bitmap(named: name).map { Array($0.alias.utf8) } == Array(alias.utf8))
      #expect(node.bitmap(alias: alias).map { Array($0.name.utf8) } == Array(name.utf8))
    }
  }

  @Test("a broken rule is told in QEMU's words", arguments: refusals)
  func refused(refusal: Refusal) {
    #expect {
      try BlockBitmapMapping(refusal.nodes)
    } throws: { error in
      (error as? StreamError)?.message
        == "Invalid mapping given for block-bitmap-mapping: \(refusal.text)"
    }
  }

  @Test func whatQEMUDoesNotCheckIsAccepted() throws {
    _ = try BlockBitmapMapping([])
    _ = try BlockBitmapMapping([Self.node("", "a"), Self.node("no node", "b", ("", ""))])
    _ = try BlockBitmapMapping([
      Self.node(Self.long(31), Self.long(255), (Self.long(1023), Self.long(255)), ("a b/=", "ü"))
    ])
    _ = try BlockBitmapMapping([
      Self.node("n", "a", ("x", "x")), Self.node("m", "b", ("x", "x")),
    ])
  }

  @Test func namesAreFoundInBothDirections() throws {
    let mapping = try BlockBitmapMapping([
      Self.node("n", "a", ("b", "x"), ("c", "y")), Self.node("m", "z"),
    ])
    #expect(mapping.node(named: "n")?.alias == "a")
    #expect(mapping.node(alias: "z")?.name == "m")
    #expect(mapping.node(named: "a") == nil)
    #expect(mapping.node(alias: "a")?.bitmap(alias: "y")?.name == "c")
    #expect(mapping.node(named: "n")?.bitmap(named: "c")?.alias == "y")
    #expect(mapping.node(named: "n")?.bitmap(named: "y") == nil)
  }

  @Test func theShortFormNamesOneBitmapAtATime() throws {
    let mapping = try BlockBitmapMapping(shortForms: [
      "disk0/b0=alias0/balias0", "disk1/b0=alias1/x", "disk0/b1=alias0/balias1",
    ])
    #expect(
      mapping.nodes == [
        Self.node("disk0", "alias0", ("b0", "balias0"), ("b1", "balias1")),
        Self.node("disk1", "alias1", ("b0", "x")),
      ])
  }

  @Test(
    "what has another form is refused",
    arguments: [
      "", "a", "a/b", "a=b", "a/b=c", "a=b/c", "a/b/c=d/e", "a/b=c/d=e", "/b=c/d", "a/b=c/",
    ])
  func noShortForm(text: String) {
    #expect(!BlockBitmapMapping.isShortForm(text))
    #expect(throws: StreamError.self) { try BlockBitmapMapping(shortForms: [text]) }
  }

  @Test func theShortFormKeepsToTheRules() {
    #expect {
      try BlockBitmapMapping(shortForms: ["n/b=a/x", "n/c=other/x"])
    } throws: { error in
      "\(error)"
        == "Invalid mapping given for block-bitmap-mapping: The node name 'n' is mapped twice"
    }
  }
}
