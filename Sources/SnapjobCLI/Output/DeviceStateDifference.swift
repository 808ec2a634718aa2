import QMP

/// How two device states differ, for people.
struct DeviceStateDifference {
  private let difference: QMPValue

  /// Takes the reply of `x-snapjob-device-state-diff`.
  init(_ difference: QMPValue) { self.difference = difference }

  /// A line for each device and field, and one for the whole.
  var lines: [String] {
    let (added, removed, changed) = (elements("added"), elements("removed"), elements("changed"))
    let total =
      "\(Quantity.count(changed.count, "device")) changed, \(added.count) added, "
      + "\(removed.count) removed, \(difference.integer("equal")) equal"
    return removed.map { "removed  \(Self.name($0))" } + added.map { "added    \(Self.name($0))" }
      + changed.flatMap(Self.lines) + [total]
  }

  private func elements(_ name: String) -> [QMPValue] { difference[name]?.elements ?? [] }

  private static func lines(_ change: QMPValue) -> [String] {
    var text =
      "changed  \(name(change)): \(Quantity.count(Int(clamping: change.integer("bytes")), "byte"))"
    let (old, new) = (change.integer("from-size"), change.integer("to-size"))
    if old != new { text += ", size \(old) -> \(new)" }
    let versions = (change.integer("from-version"), change.integer("to-version"))
    if versions.0 != versions.1 { text += ", version \(versions.0) -> \(versions.1)" }
    guard let fields = change["fields"], fields != .null else {
      return [text + " (its fields are not described)"]
    }
    return [text] + fields.elements.map(fieldLine)
  }

  private static func fieldLine(_ field: QMPValue) -> String {
    let name = "  \(Table.printable(field.text("name")))"
    if let (offset, old, new) = differingBytes(field["from"]?.asText, field["to"]?.asText) {
      return "\(name): from byte \(offset): \(old) -> \(new)"
    }
    let values = [field["from"], field["to"]].map { value in
      let shown = DeviceStateReport.text(value)
      return shown.isEmpty ? "nothing" : shown
    }
    return "\(name): \(values[0]) -> \(values[1])"
  }

  /// How many bytes of a long field are shown, from the first one that differs.
  private static let shownBytes = 8

  /// Where two runs of bytes, as hexadecimal digits, begin to differ, and what is there; nil if they are
  /// short.
  private static func differingBytes(
    _ old: String?, _ new: String?
  ) -> (offset: Int, old: String, new: String)? {
    guard let old = old.map({ Array($0.utf8) }), let new = new.map({ Array($0.utf8) }),
      old.count == new.count, old.count > 4 * shownBytes,
      let first = old.indices.first(where: { old[$0] != new[$0] })
    else { return nil }
    let start = first / 2 * 2
    let end = min(start + 2 * shownBytes, old.count)
    let parts = [old, new].map { digits in
      String(decoding: digits[start..<end], as: UTF8.self) + (end < digits.count ? "…" : "")
    }
    return (start / 2, parts[0], parts[1])
  }

  private static func name(_ device: QMPValue) -> String {
    let instance = device.integer("instance")
    return Table.printable(device.text("name")) + (instance == 0 ? "" : "#\(instance)")
  }
}
