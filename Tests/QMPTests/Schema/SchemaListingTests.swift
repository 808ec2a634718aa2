import QMP
import Testing

@Suite struct SchemaListingTests {
  private let point = SchemaObject("Point", [.required("x", .integer), .optional("y", .unsigned)])

  private func list(
    _ commands: [CommandSignature], events: [EventSignature] = []
  ) -> [String] {
    guard case .array(let entries) = SchemaListing(commands: commands, events: events).value
    else { return [] }
    return entries.map(\.jsonText)
  }

  @Test func listsACommandWithItsTypesEachOnce() {
    let lines = list([
      CommandSignature(
        "draw", [.required("from", .object(point)), .required("to", .object(point))],
        returns: .array(.string), allowsOutOfBand: true)
    ])
    #expect(
      lines == [
        """
        {"name": "draw", "ret-type": "[str]", "allow-oob": true, \
        "meta-type": "command", "arg-type": "0"}
        """,
        """
        {"name": "0", "members": [{"name": "from", "type": "1"}, {"name": "to", "type": "1"}], \
        "meta-type": "object"}
        """,
        """
        {"name": "1", "members": [{"name": "x", "type": "int"}, \
        {"name": "y", "default": null, "type": "int"}], "meta-type": "object"}
        """,
        #"{"name": "int", "json-type": "int", "meta-type": "builtin"}"#,
        #"{"name": "str", "json-type": "string", "meta-type": "builtin"}"#,
        #"{"name": "[str]", "element-type": "str", "meta-type": "array"}"#,
      ])
  }

  @Test func listsAnEventAfterTheCommands() {
    let word = SchemaEnumeration("Word", ["yes", "no"])
    let lines = list(
      [CommandSignature("ask")],
      events: [EventSignature("ANSWER", [.required("word", .enumeration(word))])])
    #expect(
      lines == [
        #"{"name": "ask", "ret-type": "0", "meta-type": "command", "arg-type": "0"}"#,
        #"{"name": "ANSWER", "meta-type": "event", "arg-type": "1"}"#,
        #"{"name": "0", "members": [], "meta-type": "object"}"#,
        #"{"name": "1", "members": [{"name": "word", "type": "2"}], "meta-type": "object"}"#,
        """
        {"name": "2", "members": [{"name": "yes"}, {"name": "no"}], "meta-type": "enum", \
        "values": ["yes", "no"]}
        """,
      ])
  }

  @Test func listsAlternatesAndUnions() {
    let shape = SchemaObject(
      "Shape", tag: "kind", "ShapeKind", common: [.optional("name", .string)],
      [.init("dot"), .init("line", [.required("to", .object(point))])])
    let either = SchemaAlternate("Either", [.string, .object(shape)])
    let lines = list([CommandSignature("draw", returns: .alternate(either))])
    #expect(
      lines.dropFirst(2) == [
        #"{"name": "1", "members": [{"type": "str"}, {"type": "2"}], "meta-type": "alternate"}"#,
        #"{"name": "str", "json-type": "string", "meta-type": "builtin"}"#,
        """
        {"name": "2", "tag": "kind", "variants": [{"case": "dot", "type": "0"}, \
        {"case": "line", "type": "3"}], "members": [{"name": "kind", "type": "5"}, \
        {"name": "name", "default": null, "type": "str"}], "meta-type": "object"}
        """,
        #"{"name": "3", "members": [{"name": "to", "type": "4"}], "meta-type": "object"}"#,
        """
        {"name": "4", "members": [{"name": "x", "type": "int"}, \
        {"name": "y", "default": null, "type": "int"}], "meta-type": "object"}
        """,
        #"{"name": "int", "json-type": "int", "meta-type": "builtin"}"#,
        """
        {"name": "5", "members": [{"name": "dot"}, {"name": "line"}], "meta-type": "enum", \
        "values": ["dot", "line"]}
        """,
      ])
  }

  @Test(
    "Checks the members of a union that its tag asks for",
    arguments: [
      (#"{}"#, "Parameter 'shape.kind' is missing"),
      (#"{"kind": "blob"}"#, "Parameter 'kind' does not accept value 'blob'"),
      (#"{"kind": 1}"#, "Invalid parameter type for 'shape.kind', expected: string"),
      (#"{"kind": "line"}"#, "Parameter 'shape.to' is missing"),
      (#"{"kind": "line", "to": 1}"#, "Invalid parameter type for 'shape.to', expected: object"),
      (#"{"kind": "dot", "to": {"x": 1}}"#, "Parameter 'shape.to' is unexpected"),
      (
        #"{"kind": "line", "name": 1}"#, "Invalid parameter type for 'shape.name', expected: string"
      ),
      (#"{"kind": "line", "to": {"x": 1}}"#, nil),
      (#"{"kind": "dot", "name": "a"}"#, nil),
    ] as [(String, String?)])
  func checksUnion(text: String, desc: String?) throws {
    let shape = SchemaObject(
      "Shape", tag: "kind", "ShapeKind", common: [.optional("name", .string)],
      [.init("dot"), .init("line", [.required("to", .object(point))])])
    let signature = CommandSignature("draw", [.required("shape", .object(shape))])
    let value = try QMPValue(parsing: text)
    var refusal: String?
    do throws(QMPError) {
      _ = try signature.check(["shape": value])
    } catch {
      refusal = error.desc
    }
    #expect(refusal == desc)
  }
}
