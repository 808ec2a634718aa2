import Glibc

/// A point in time, between RFC 3339 in UTC and what a clock on the wall shows.
struct Moment: Sendable, Hashable, Comparable {
  /// Microseconds since 1970-01-01T00:00:00Z.
  let microseconds: Int64

  init(microseconds: Int64) { self.microseconds = microseconds }

  /// Reads `2026-11-21T04:10:29Z`, with or without a fraction of a second.
  init?(rfc3339 text: String) {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int64? {
      guard range.upperBound <= bytes.count else { return nil }
      return bytes[range].reduce(0 as Int64?) { sum, byte in
        guard let sum, (0x30...0x39).contains(byte) else { return nil }
        return sum * 10 + Int64(byte - 0x30)
      }
    }
    guard
      bytes.count >= 20, bytes.last == UInt8(ascii: "Z"),
      let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
    else { return nil }
    var fraction: Int64 = 0
    if bytes.count > 20 {
      let digits = min(bytes.count - 21, 6)
      guard bytes[19] == UInt8(ascii: "."), digits > 0, let value = number(20..<20 + digits) else {
        return nil
      }
      fraction = (digits..<6).reduce(value) { value, _ in value * 10 }
    }
    let seconds = Self.day(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    microseconds = seconds * 1_000_000 + fraction
  }

  static func < (left: Moment, right: Moment) -> Bool { left.microseconds < right.microseconds }

  /// Local time, to the second: `2026-11-21 04:10:29`.
  var localText: String { format("%Y-%m-%d %H:%M:%S", isLocal: true) }

  /// Local time of day, to the millisecond: `04:10:29.123`.
  var localClockText: String {
    let milliseconds = String(remainder / 1000)
    let padding = String(repeating: "0", count: 3 - milliseconds.count)
    return format("%H:%M:%S", isLocal: true) + "." + padding + milliseconds
  }

  /// Local date: `2026-11-21`.
  var localDateText: String { format("%Y-%m-%d", isLocal: true) }

  /// Local time of day as names carry it: `041029`.
  var localCompactClockText: String { format("%H%M%S", isLocal: true) }

  /// What job ids carry: UTC, so that they sort, `20261121-041029`.
  var compactText: String { format("%Y%m%d-%H%M%S", isLocal: false) }

  /// Seconds and microseconds as QMP's events carry them.
  var parts: (seconds: Int64, microseconds: Int64) {
    ((microseconds - remainder) / 1_000_000, remainder)
  }

  private var remainder: Int64 {
    let rest = microseconds % 1_000_000
    return rest < 0 ? rest + 1_000_000 : rest
  }

  private func format(_ pattern: String, isLocal: Bool) -> String {
    var seconds = time_t(parts.seconds)
    var fields = tm()
    if isLocal { localtime_r(&seconds, &fields) } else { gmtime_r(&seconds, &fields) }
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = buffer.withUnsafeMutableBytes { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        strftime($0.baseAddress, $0.count, pattern, &fields)
      }
    }
    return String(decoding: buffer.prefix(count), as: UTF8.self)
  }

  /// Days since 1970-01-01 of a date in the Gregorian calendar.
  private static func day(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    // Years start in March here, so that the leap day is the last one.
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468
  }
}
