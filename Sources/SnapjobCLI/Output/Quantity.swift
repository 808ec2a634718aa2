/// Numbers as people read them.
enum Quantity {
  /// Bytes in binary units with at most one decimal: `0 B`, `512 B`, `1.2 MiB`, `10 GiB`.
  static func bytes(_ count: Int64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var unit = 0
    var scale: UInt64 = 1
    let magnitude = count.magnitude
    // 1023.96 KiB would be rounded to 1024.0 KiB: such a number goes to the next unit.
    while unit < units.count - 1, tenths(magnitude, of: scale) >= 10240 {
      unit += 1
      scale <<= 10
    }
    let tenths = tenths(magnitude, of: scale)
    let sign = count < 0 ? "-" : ""
    let fraction = unit > 0 && tenths % 10 > 0 ? ".\(tenths % 10)" : ""
    return "\(sign)\(tenths / 10)\(fraction) \(units[unit])"
  }

  private static func tenths(_ magnitude: UInt64, of scale: UInt64) -> UInt64 {
    let (whole, rest) = magnitude.quotientAndRemainder(dividingBy: scale)
    let (product, overflow) = whole.multipliedReportingOverflow(by: 10)
    return overflow ? .max : product + (rest * 10 + scale / 2) / scale
  }

  /// A duration: `0.3 s`, `42 s`, `3 min 5 s`, `2 h 7 min`.
  static func time(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let tenths = seconds * 10 + (attoseconds + 50_000_000_000_000_000) / 100_000_000_000_000_000
    switch tenths {
    case ..<100: return "\(tenths / 10).\(tenths % 10) s"
    case ..<600: return "\(tenths / 10) s"
    case ..<36000: return "\(tenths / 600) min \(tenths % 600 / 10) s"
    default: return "\(tenths / 36000) h \(tenths % 36000 / 600) min"
    }
  }

  /// A number of things: `1 disk`, `2 disks`.
  static func count(_ count: Int, _ noun: String) -> String {
    count == 1 ? "1 \(noun)" : "\(count) \(noun)s"
  }
}
