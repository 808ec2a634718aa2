import ArgumentParser

/// A time limit in seconds, as an argument: zero or more, fractions allowed.
struct Seconds: ExpressibleByArgument, Sendable, Hashable {
  /// Ten years; more is a typing mistake.
  static let maximum = 315_360_000.0

  /// The number of seconds.
  let value: Double

  init?(argument: String) {
    guard let value = Double(argument), value >= 0, value <= Self.maximum else { return nil }
    self.value = value
  }

  /// The same as a duration.
  var duration: Duration { .seconds(value) }
}
