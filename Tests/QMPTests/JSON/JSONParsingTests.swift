import QMP
import Testing

@Suite struct JSONParsingTests {
  @Test(
    "Reads scalars",
    arguments: [
      ("null", QMPValue.null), ("true", true), ("false", false), (" 0 ", 0), ("-0", 0),
      ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
      ("9223372036854775808", .uint(9_223_372_036_854_775_808)),
      ("18446744073709551615", .uint(.max)),
      ("18446744073709551616", .double(18_446_744_073_709_551_616)),
      ("-9223372036854775809", .double(-9_223_372_036_854_775_808)),
      ("1.5", .double(1.5)), ("1e2", .double(100)), ("12.25E-2", .double(0.1225)),
      ("0.0", .double(0)), (#""""#, ""), (#""a b""#, "a b"),
    ])
  func readsScalars(text: String, value: QMPValue) throws {
    #expect(try QMPValue(parsing: text) == value)
  }

  @Test func keepsTheOrderOfMembersAndTheDepthOfValues() throws {
    let value = try QMPValue(parsing: #"{"b": [1, {"a": []}], "a": {} ,"c":"x"}"#)
    #expect(
      value == .object([.init("b", [1, ["a": []]]), .init("a", [:]), .init("c", "x")]))
  }

  @Test(
    "Takes escapes and single quotes as QEMU does",
    arguments: [
      (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\'""#, "'"), (#"'a"b'"#, "a\"b"),
      (#"'a\'b'"#, "a'b"), (#""A\u00e9\u20AC""#, "Aé€"), (#""\ud834\udd1e""#, "\u{1D11E}"),
      (#""\u0000x""#, "\0x"), ("\"\u{1D11E}é\"", "\u{1D11E}é"),
    ])
  func readsStrings(text: String, string: String) throws {
    #expect(try QMPValue(parsing: text) == .string(string))
  }

  @Test(
    "Names what is wrong in QEMU's words",
    arguments: [
      ("}", "expecting value"), ("]", "expecting value"), ("[,]", "expecting value"),
      ("[1,]", "expecting value"), (#"{"a": }"#, "expecting value"),
      (#"{"a" 1}"#, "missing : in object pair"),
      (#"{"a": 1 "b": 2}"#, "expected separator in dict"),
      ("[1 2]", "expected separator in list"), ("[1}", "expected separator in list"),
      (#"{"a": 1, "a": 2}"#, "duplicate key"), ("{1: 2}", "key is not a string in object"),
      (#"{"a": 1,}"#, "expecting value"), ("[tru]", "invalid keyword 'tru'"),
      ("tru", "invalid keyword 'tru'"), ("01", "stray '01'"), ("1.", "stray '1.'"),
      ("-", "stray '-'"), ("+1", "stray '+'"), ("NaN", "stray 'N'"), ("-Infinity", "stray '-I'"),
      (".5", "stray '.'"), ("\"abc", "stray '\"abc'"), ("\u{1}", "stray '\u{1}'"),
      ("\"a\tb\"", "stray '\"a\t'"), ("{", "premature EOI"), ("[1", "premature EOI"),
      (#"{"a""#, "premature EOI"), (#"{"a":"#, "premature EOI"),
      (#""\x""#, "invalid escape sequence in string"),
      (#""\ud800""#, #"\ud800 is not a valid Unicode character"#),
      (#""\ud800\u0041""#, #"\ud800 is not a valid Unicode character"#),
      (#""\udc00""#, #"\udc00 is not a valid Unicode character"#),
      (#""\uFFFE""#, #"\uFFFE is not a valid Unicode character"#),
      (#""\u12G4""#, #"\u12G4 is not a valid Unicode character"#),
      (#""\u12""#, #"\u12 is not a valid Unicode character"#),
      ("1e999", "number '1e999' is out of range"),
    ])
  func refuses(text: String, reason: String) {
    #expect(throws: QMPError(.genericError, "JSON parse error, \(reason)")) {
      try QMPValue(parsing: text)
    }
  }

  @Test func wantsExactlyOneValue() {
    #expect(throws: QMPError(.genericError, "Expecting a JSON value")) {
      try QMPValue(parsing: " \n")
    }
    #expect(throws: QMPError(.genericError, "Expecting at most one JSON value")) {
      try QMPValue(parsing: "1 2")
    }
    #expect(throws: QMPError(.genericError, "JSON parse error, expecting value")) {
      try QMPValue(parsing: "{} }")
    }
  }

  @Test func tellsTwoSpellingsOfOneLetterApart() throws {
    let value = try QMPValue(parsing: #"{"\u00e9": 1, "e\u0301": 2}"#)
    guard case .object(let members) = value else {
      Issue.record("no object")
      return
    }
    #expect(members.count == 2)
  }

  @Test func refusesInvalidUTF8() {
    for bytes: [UInt8] in [[0xC3], [0xFF], [0xED, 0xA0, 0x80], [0xC0, 0x80], [0xEF, 0xBF, 0xBF]] {
      var reader = JSONReader()
      var errors: [QMPError] = []
      reader.feed([0x22] + bytes + [0x22]) { result in
        if case .failure(let error) = result { errors.append(error) }
      }
      reader.finish { _ in }
      #expect(errors.count == 1, "\(bytes)")
    }
  }

  @Test func everyPrefixOfATextIsRefusedOrReadWithoutTrapping() throws {
    let text = Array(#"{"a": [1.5e-3, "\ud834\udd1e", 'x\'', null, true, {}], "b": -12}"#.utf8)
    for count in 0..<text.count {
      var reader = JSONReader()
      var values = 0
      reader.feed(text[..<count]) { _ in values += 1 }
      #expect(values == 0)
    }
    for index in text.indices {
      for byte: UInt8 in [0, 0x22, 0x5C, 0x7B, 0x7D, 0xFF] {
        var changed = text
        changed[index] = byte
        var reader = JSONReader()
        var results = 0
        reader.feed(changed) { _ in results += 1 }
        reader.finish { _ in results += 1 }
        #expect(results > 0)
      }
    }
  }
}
