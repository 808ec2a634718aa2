import QMP
import Testing

@Suite struct CommandSignatureTests {
  private let signature = CommandSignature(
    "test",
    [
      .required("id", .string), .required("devices", .array(.string)),
      .optional("flag", .boolean), .optional("count", .integer), .optional("size", .unsigned),
      .optional("share", .number),
      .optional("driver", .enumeration(SchemaEnumeration("Driver", ["qcow2", "file"]))),
      .optional(
        "file",
        .alternate(
          SchemaAlternate(
            "BlockdevRef",
            [.object(SchemaObject([.required("filename", .string)])), .string]))),
      .optional("modes", .array(.enumeration(SchemaEnumeration("Mode", ["on"])))),
      .optional("anything", .any), .optional("nothing", .null),
    ])

  @Test(
    "Refuses arguments in QEMU's words, in the declared order",
    arguments: [
      (#"{}"#, "Parameter 'id' is missing"),
      (#"{"zz": 1}"#, "Parameter 'id' is missing"),
      (#"{"id": "a"}"#, "Parameter 'devices' is missing"),
      (#"{"id": 1}"#, "Invalid parameter type for 'id', expected: string"),
      (#"{"id": null}"#, "Invalid parameter type for 'id', expected: string"),
      (#"{"devices": 1, "id": 1}"#, "Invalid parameter type for 'id', expected: string"),
      (#"{"id": "a", "devices": "x"}"#, "Invalid parameter type for 'devices', expected: array"),
      (
        #"{"id": "a", "devices": [1]}"#,
        "Invalid parameter type for 'devices[0]', expected: string"
      ),
      (
        #"{"id": "a", "devices": ["x", {}]}"#,
        "Invalid parameter type for 'devices[1]', expected: string"
      ),
      (#"{"id": "a", "devices": [], "zz": 1}"#, "Parameter 'zz' is unexpected"),
      (
        #"{"id": "a", "devices": [], "flag": 1, "zz": 1}"#,
        "Invalid parameter type for 'flag', expected: boolean"
      ),
      (
        #"{"id": "a", "devices": [], "count": 1.5}"#,
        "Invalid parameter type for 'count', expected: integer"
      ),
      (
        #"{"id": "a", "devices": [], "count": 9223372036854775808}"#,
        "Invalid parameter type for 'count', expected: integer"
      ),
      (#"{"id": "a", "devices": [], "size": -1}"#, "Parameter 'size' expects uint64"),
      (#"{"id": "a", "devices": [], "size": "1"}"#, "Parameter 'size' expects uint64"),
      (
        #"{"id": "a", "devices": [], "share": "1"}"#,
        "Invalid parameter type for 'share', expected: number"
      ),
      (
        #"{"id": "a", "devices": [], "driver": "qcow3"}"#,
        "Parameter 'driver' does not accept value 'qcow3'"
      ),
      (
        #"{"id": "a", "devices": [], "driver": 3}"#,
        "Invalid parameter type for 'driver', expected: string"
      ),
      (
        #"{"id": "a", "devices": [], "file": 3}"#,
        "Invalid parameter type for 'file', expected: BlockdevRef"
      ),
      (#"{"id": "a", "devices": [], "file": {}}"#, "Parameter 'file.filename' is missing"),
      (
        #"{"id": "a", "devices": [], "file": {"filename": "f", "x": 1}}"#,
        "Parameter 'file.x' is unexpected"
      ),
      (
        #"{"id": "a", "devices": [], "modes": ["off"]}"#,
        "Parameter 'null' does not accept value 'off'"
      ),
      (
        #"{"id": "a", "devices": [], "nothing": 1}"#,
        "Invalid parameter type for 'nothing', expected: null"
      ),
      (#"[]"#, "QMP input member 'arguments' must be an object"),
      (#""x""#, "QMP input member 'arguments' must be an object"),
    ])
  func refuses(json: String, desc: String) throws {
    let value = try QMPValue(parsing: json)
    #expect(throws: QMPError(.genericError, desc)) { try signature.check(value) }
  }

  @Test func readsCheckedArguments() throws {
    let arguments = try signature.check(
      QMPValue(
        parsing: """
          {"id": "a", "devices": ["x", "y"], "flag": true, "size": 18446744073709551615,
           "file": {"filename": "f"}, "share": 1, "anything": [null]}
          """))
    #expect(try arguments.string("id") == "a")
    #expect(try arguments.strings("devices") == ["x", "y"])
    #expect(arguments.flag("flag"))
    #expect(!arguments.flag("absent"))
    #expect(arguments.flag("absent", default: true))
    #expect(try arguments.unsigned("size") == .max)
    #expect(try arguments.object("file").string("filename") == "f")
    #expect(arguments.string(ifPresent: "driver") == nil)
    #expect(arguments["anything"] == [.null])
  }

  @Test func takesNoArgumentsForAnEmptyObject() throws {
    let signature = CommandSignature("query-jobs", [.optional("x", .boolean)])
    #expect(try signature.check(nil).members.isEmpty)
    #expect(try signature.check([:]).members.isEmpty)
  }

  @Test func checksRepliesAgainstTheDeclaredType() throws {
    let signature = CommandSignature(
      "query", returns: .array(.object(SchemaObject([.required("name", .string)]))))
    try signature.checkReply([["name": "x"]])
    #expect(throws: QMPError.self) { try signature.checkReply([["name": 1]]) }
    #expect(throws: QMPError.self) { try signature.checkReply([:]) }
    try CommandSignature("nothing").checkReply([:])
  }
}
