import QMP
import Testing

@Suite struct JSONReaderTests {
  /// The values and errors of packets, each as one line.
  private func read(_ packets: [String], limits: JSONLimits = JSONLimits()) -> [String] {
    var reader = JSONReader(limits: limits)
    var lines: [String] = []
    let emit = { (result: Result<QMPValue, QMPError>) in
      switch result {
      case .success(let value): lines.append(value.jsonText)
      case .failure(let error): lines.append(error.desc)
      }
    }
    for packet in packets { reader.feed(packet.utf8, emit: emit) }
    reader.finish(emit: emit)
    return lines
  }

  @Test func joinsPacketsAndSplitsTexts() {
    #expect(
      read([#"{"a""#, #": 1}{"b"#, #"": 2} [3"#, "]\r\n"]) == [#"{"a": 1}"#, #"{"b": 2}"#, "[3]"])
  }

  @Test func emitsAValueAsSoonAsItIsComplete() {
    var reader = JSONReader()
    var count = 0
    reader.feed("[1]".utf8) { _ in count += 1 }
    #expect(count == 1)
  }

  @Test func goesOnBehindAnError() {
    #expect(
      read([#"{"a": 1]"#, #"{"b": 2}"#]) == [
        "JSON parse error, expected separator in dict", #"{"b": 2}"#,
      ])
  }

  @Test func skipsWhatFollowsAStrayByteUpToTheNextStructure() {
    #expect(read(["0123 , {}"]).first == "JSON parse error, stray '01'")
    #expect(read(["@ junk {}"]) == ["JSON parse error, stray '@'", "{}"])
  }

  @Test func aControlCharacterBringsItBackToTheBeginning() {
    #expect(
      read(["{\"a\": [1, \u{1}{\"b\": 2}"]) == [
        "JSON parse error, stray '\u{1}'", #"{"b": 2}"#,
      ])
  }

  @Test(arguments: [
    #"{"long text with \"escapes\" and 'quotes'": [truetrue, "\u00e9"]}"#, "'it''s' 12.5e3",
    "@ skipped until here {} \u{1} \"cut", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa []",
    "\"0123456789012345678901234567890123456789\" [\"0123456789\", 1]",
  ])
  func whereItIsCutMakesNoDifference(text: String) {
    var limits = JSONLimits()
    limits.byteCount = 32
    for limits in [limits, JSONLimits()] {
      let whole = read([text], limits: limits)
      #expect(read(text.unicodeScalars.map { String($0) }, limits: limits) == whole)
      for cut in text.indices {
        #expect(read([String(text[..<cut]), String(text[cut...])], limits: limits) == whole)
      }
    }
  }

  @Test func repeatsOnlyTheBeginningOfALongStrayToken() {
    let word = String(repeating: "a", count: 100_000)
    #expect(
      read([word + " "]) == ["JSON parse error, invalid keyword '\(word.prefix(4096))'"])
    let lines = read(["\"" + String(repeating: "a", count: 100_000) + "\u{1} {}"])
    #expect(
      lines == ["JSON parse error, stray '\"" + String(repeating: "a", count: 4095) + "'", "{}"])
  }

  @Test func limitsTheDepth() {
    let deep = String(repeating: "[", count: 1024) + String(repeating: "]", count: 1024)
    #expect(read([deep]) == [deep])
    let tooDeep = String(repeating: "[", count: 1025)
    #expect(read([tooDeep]) == ["JSON nesting depth limit exceeded"])
  }

  @Test func limitsTheNumberOfTokens() {
    var limits = JSONLimits()
    limits.tokenCount = 5
    #expect(read(["[1,2]"], limits: limits) == ["[1, 2]"])
    #expect(read(["[1,2,3"], limits: limits) == ["JSON token count limit exceeded"])
    #expect(JSONLimits().tokenCount == 2_097_152)
  }

  @Test func limitsTheBytesOfAText() {
    var limits = JSONLimits()
    limits.byteCount = 8
    #expect(read([#""123456""#], limits: limits) == [#""123456""#])
    #expect(
      read([#""1234567""#, "{}"], limits: limits) == ["JSON token size limit exceeded", "{}"])
    #expect(
      read([#""12345678"#, "{}"], limits: limits) == ["JSON token size limit exceeded", "{}"])
    #expect(JSONLimits().byteCount == 67_108_864)
  }
}
