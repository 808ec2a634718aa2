/// Sizes as QEMU prints them for people (util/cutils.c, `size_to_str`): three digits and a unit.
enum ByteCountText {
  private static let units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]

  /// `468 KiB`, `3.03 MiB`, `0 B`.
  static func text(_ count: UInt64) -> String {
    // From 1000 of a unit on the next one is used, so that three digits are enough.
    var exponent = 0
    while exponent + 1 < units.count, UInt128(count) >= UInt128(1000) << (10 * UInt128(exponent)) {
      exponent += 1
    }
    return "\(digits(count, 1 << (10 * UInt64(exponent)))) \(units[exponent])B"
  }

  /// The quotient with three significant digits, as C's `%0.3g` has it.
  private static func digits(_ count: UInt64, _ divisor: UInt64) -> String {
    let whole = count / divisor
    var decimals = whole >= 100 ? 0 : whole >= 10 ? 1 : 2
    var scale: UInt128 = [1, 10, 100][decimals]
    // Below one, leading zeros are no significant digits.
    if whole == 0, count > 0 {
      decimals = 3
      scale = 1000
    }
    let rounded = roundedToEven(UInt128(count) * scale, UInt128(divisor))
    if rounded >= 1000, decimals == 0 { return "1e+03" }
    let fraction = "\(rounded % scale)".padded(zeros: decimals)
    let kept = decimals == 0 ? "" : String(fraction.trimmingZeros)
    return "\(rounded / scale)" + (kept.isEmpty ? "" : ".\(kept)")
  }

  private static func roundedToEven(_ number: UInt128, _ divisor: UInt128) -> UInt128 {
    let (quotient, rest) = number.quotientAndRemainder(dividingBy: divisor)
    let isUp = 2 * rest > divisor || (2 * rest == divisor && quotient % 2 == 1)
    return quotient + (isUp ? 1 : 0)
  }
}

extension String {
  fileprivate var trimmingZeros: Substring {
    var rest = self[...]
    while rest.last == "0" { rest.removeLast() }
    return rest
  }
}
