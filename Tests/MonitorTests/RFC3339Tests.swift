import Jobs
import Testing

@testable import Monitor

@Suite struct RFC3339Tests {
  @Test(
    "Writes dates of all kinds of years",
    arguments: [
      (Int64(0), "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"),
      (951_782_400, "2000-02-29T00:00:00Z"), (951_868_800, "2000-03-01T00:00:00Z"),
      (1_709_164_800, "2024-02-29T00:00:00Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
      (1_735_689_599, "2024-12-31T23:59:59Z"), (-1, "1969-12-31T23:59:59Z"),
      (4_294_967_295, "2106-02-07T06:28:15Z"),
    ])
  func seconds(seconds: Int64, text: String) {
    #expect(RFC3339.text(seconds: seconds) == text)
  }

  @Test func writesMicrosecondsWithAllDigits() {
    #expect(
      RFC3339.text(Timestamp(microseconds: 1_700_000_000_000_042))
        == "2023-11-14T22:13:20.000042Z")
    #expect(RFC3339.text(Timestamp(microseconds: -1)) == "1969-12-31T23:59:59.999999Z")
    // What no clock shows is written all the same.
    #expect(!RFC3339.text(Timestamp(microseconds: .max)).isEmpty)
    #expect(!RFC3339.text(Timestamp(microseconds: .min)).isEmpty)
  }
}
