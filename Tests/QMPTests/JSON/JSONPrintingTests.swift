import QMP
import Testing

@Suite struct JSONPrintingTests {
  @Test func separatesLikeQEMU() {
    let value: QMPValue = ["return": ["a": [1, true, .null], "b": [:], "c": []]]
    #expect(value.jsonText == #"{"return": {"a": [1, true, null], "b": {}, "c": []}}"#)
    #expect("\(value)" == value.jsonText)
  }

  @Test(
    "Writes strings in ASCII",
    arguments: [
      ("é€", #""\u00E9\u20AC""#), ("\u{1D11E}", #""\uD834\uDD1E""#),
      ("\0\u{1}\u{1F}", #""\u0000\u0001\u001F""#),
      ("\u{7F}", #""\u007F""#), ("\"\\/'", #""\"\\/'""#), ("\u{8}\u{C}\n\r\t", #""\b\f\n\r\t""#),
      ("\u{FFFE}", #""\uFFFD""#), ("e\u{301}", #""e\u0301""#),
    ])
  func strings(text: String, json: String) {
    #expect(QMPValue.string(text).jsonText == json)
  }

  @Test(
    "Writes numbers with the fewest digits, in the layout of C's %.17g",
    arguments: [
      (QMPValue.double(18_446_744_073_709_551_616), "1.8446744073709552e+19"),
      (.double(0.1), "0.1"), (.double(-1.5), "-1.5"), (.double(1), "1"), (.double(-0.0), "-0"),
      (.double(100), "100"), (.double(1e16), "10000000000000000"), (.double(1e17), "1e+17"),
      (.double(0.0001), "0.0001"), (.double(0.00001), "1e-05"), (.double(1.25e-7), "1.25e-07"),
      (.double(.leastNonzeroMagnitude), "5e-324"),
      (.double(1.7976931348623157e308), "1.7976931348623157e+308"),
      (.double(123456.789), "123456.789"), (.double(0.012), "0.012"),
      (.double(.infinity), "null"), (.double(.nan), "null"), (.int(.min), "-9223372036854775808"),
      (.uint(.max), "18446744073709551615"),
    ])
  func numbers(value: QMPValue, json: String) {
    #expect(value.jsonText == json)
  }

  @Test func doublesSurviveARoundTrip() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2_000 {
      let number = Double(bitPattern: generator.next())
      guard number.isFinite else { continue }
      let text = QMPValue.double(number).jsonText
      #expect(Double(text) == number, "\(text)")
    }
  }
}
