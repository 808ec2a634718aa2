import Glibc
import Jobs

/// A moment in the time zone of the process.
struct LocalTime {
  private let fields: tm

  init(_ time: Timestamp) {
    var seconds = time_t(time.microseconds / 1_000_000)
    var fields = tm()
    localtime_r(&seconds, &fields)
    self.fields = fields
  }

  /// `2026-11-21 07:45:15`.
  var text: String { "\(date.joined(separator: "-")) \(clock.joined(separator: ":"))" }

  /// `vm-20261121074515`, the name that QEMU gives a snapshot without one.
  var snapshotName: String { "vm-" + (date + clock).joined() }

  private var date: [String] {
    [
      "\(fields.tm_year + 1900)".padded(zeros: 4), Self.two(fields.tm_mon + 1),
      Self.two(fields.tm_mday),
    ]
  }

  private var clock: [String] {
    [Self.two(fields.tm_hour), Self.two(fields.tm_min), Self.two(fields.tm_sec)]
  }

  private static func two(_ number: CInt) -> String { "\(number)".padded(zeros: 2) }
}
