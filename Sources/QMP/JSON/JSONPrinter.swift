/// Writes values as QEMU does: one line, separators `, ` and `: `, ASCII only.
struct JSONPrinter {
  private(set) var text: [UInt8] = []

  /// Appends a value.
  mutating func write(_ value: QMPValue) {
    switch value {
    case .null: write("null")
    case .bool(let value): write(value ? "true" : "false")
    case .int(let value): write(String(value))
    case .uint(let value): write(String(value))
    case .double(let value): write(value.isFinite ? Self.layOut(value) : "null")
    case .string(let value): writeQuoted(value)
    case .array(let elements):
      write("[")
      for (index, element) in elements.enumerated() {
        if index > 0 { write(", ") }
        write(element)
      }
      write("]")
    case .object(let members):
      write("{")
      for (index, member) in members.enumerated() {
        if index > 0 { write(", ") }
        writeQuoted(member.name)
        write(": ")
        write(member.value)
      }
      write("}")
    }
  }

  private mutating func write(_ string: String) { text.append(contentsOf: string.utf8) }

  private mutating func writeQuoted(_ string: String) {
    write("\"")
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": write(#"\""#)
      case "\\": write(#"\\"#)
      case "\u{8}": write(#"\b"#)
      case "\u{C}": write(#"\f"#)
      case "\n": write(#"\n"#)
      case "\r": write(#"\r"#)
      case "\t": write(#"\t"#)
      case "\u{20}"..."\u{7E}": text.append(UInt8(truncatingIfNeeded: scalar.value))
      case _ where JSONString.isNoncharacter(scalar): writeUnit(0xFFFD)
      default: UTF16.encode(scalar)?.forEach { writeUnit($0) }
      }
    }
    write("\"")
  }

  private mutating func writeUnit(_ unit: UInt16) {
    let digits = String(unit, radix: 16, uppercase: true)
    write(#"\u"# + String(repeating: "0", count: 4 - digits.count) + digits)
  }

  /// The shortest digits that give the same number again, laid out like C's `%.17g`.
  private static func layOut(_ value: Double) -> String {
    // Swift's description has the shortest digits: `-1.25e-07`, `12.5`, `5e-324`.
    var digits: [Character] = []
    var pointPosition: Int?
    let parts = value.magnitude.description.split(separator: "e")
    for character in parts[0] {
      if character == "." { pointPosition = digits.count } else { digits.append(character) }
    }
    let written = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
    // The value is 0.d₁d₂d₃… times ten to this power.
    var power = (pointPosition ?? digits.count) + written
    while digits.first == "0", digits.count > 1 {
      digits.removeFirst()
      power -= 1
    }
    while digits.last == "0", digits.count > 1 { digits.removeLast() }
    if digits == ["0"] { power = 1 }
    let sign = value.sign == .minus ? "-" : ""
    let exponent = power - 1
    guard (-4..<17).contains(exponent) else {
      let fraction = digits.count > 1 ? "." + String(digits[1...]) : ""
      let magnitude = String(abs(exponent))
      let padded = magnitude.count < 2 ? "0" + magnitude : magnitude
      return sign + String(digits[0]) + fraction + (exponent < 0 ? "e-" : "e+") + padded
    }
    if power <= 0 { return sign + "0." + String(repeating: "0", count: -power) + String(digits) }
    if digits.count <= power {
      return sign + String(digits) + String(repeating: "0", count: power - digits.count)
    }
    return sign + String(digits[..<power]) + "." + String(digits[power...])
  }
}
