import Jobs

/// Times as RFC 3339 writes them, in UTC.
enum RFC3339 {
  /// A moment with microseconds: `2026-11-21T04:12:00.000250Z`.
  static func text(_ time: Timestamp) -> String {
    let (seconds, rest) = split(time.microseconds, by: 1_000_000)
    return "\(date(seconds)).\(padded(rest, 6))Z"
  }

  /// A moment in whole seconds: `2026-11-21T04:12:00Z`.
  static func text(seconds: Int64) -> String { date(seconds) + "Z" }

  private static func date(_ seconds: Int64) -> String {
    let (days, second) = split(seconds, by: 86_400)
    let (year, month, day) = civil(days)
    let hour = padded(second / 3_600, 2)
    let minute = padded(second / 60 % 60, 2)
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
      + "T\(hour):\(minute):\(padded(second % 60, 2))"
  }

  /// The Gregorian date of a day counted from 1970-01-01; the year begins in March in between, so
  /// that the leap day is its last.
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = split(days + 719_468, by: 146_097)
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
  }

  /// Division that rounds down.
  private static func split(_ value: Int64, by divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
