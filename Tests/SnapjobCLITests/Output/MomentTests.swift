import Testing

@testable import SnapjobCLI

@Suite struct MomentTests {
  @Test(
    "RFC 3339 times are read",
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("2026-11-21T04:10:29Z", 1_795_234_229_000_000),
      ("2026-11-21T04:10:29.123456Z", 1_795_234_229_123_456),
      ("2026-11-21T04:10:29.5Z", 1_795_234_229_500_000),
      ("2000-02-29T23:59:59Z", 951_868_799_000_000), ("1969-12-31T23:59:59Z", -1_000_000),
    ])
  func read(text: String, microseconds: Int64) {
    #expect(Moment(rfc3339: text)?.microseconds == microseconds)
  }

  @Test(
    "other texts are no times",
    arguments: [
      "", "Z", "2026-11-21", "2026-11-21T04:10:29", "2026-13-21T04:10:29Z",
      "2026-11-21T24:10:29Z", "2026-11-21T04:10:29.Z", "2026-11-2xT04:10:29Z",
    ])
  func bad(text: String) {
    #expect(Moment(rfc3339: text) == nil)
  }

  @Test("job ids carry UTC") func compact() {
    #expect(Moment(microseconds: Run.now).compactText == "20261121-041029")
  }

  @Test("seconds and microseconds are told apart, before 1970 as well") func parts() {
    let moment = Moment(microseconds: -1)
    #expect(moment.parts == (-1, 999_999))
    #expect(Moment(microseconds: Run.now).parts == (1_795_234_229, 123_456))
  }

  @Test("the time of day has milliseconds, always three") func clock() {
    let text = Moment(microseconds: 7000).localClockText
    #expect(text.hasSuffix(":00.007"))
    #expect(text.count == 12)
  }
}
