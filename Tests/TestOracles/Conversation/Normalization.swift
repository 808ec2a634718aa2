extension JSONValue {
  /// What depends on time, on chance, or on things that only QEMU has: devices and protocol nodes. New bitmaps
  /// stand in QEMU's images only once these are closed.
  private static let ignoredMembers: Set<String> = [
    "date-sec", "date-nsec", "vm-clock-sec", "vm-clock-nsec", "vm-state-size", "actual-size",
    "current-progress", "total-progress", "qdev", "io-status", "parent", "x-excluded", "bitmaps",
  ]

  /// The value without what may differ: dates, sizes of device state, QEMU's own nodes, paths.
  func normalized(directory: String) -> JSONValue {
    switch self {
    case .object(let members):
      .object(
        members.filter { !Self.ignoredMembers.contains($0.key) }
          .mapValues { $0.normalized(directory: directory) })
    case .array(let elements):
      .array(elements.filter { !$0.isProtocolNode }.map { $0.normalized(directory: directory) })
    case .string(let text):
      .string(
        Transcript.replacing(directory, with: "DIR", in: text).split(
          separator: "\r\n", omittingEmptySubsequences: false
        ).compactMap { Self.normalizedLine(String($0)) }.joined(separator: "\r\n"))
    default: self
    }
  }

  /// A node that QEMU has made and named by itself.
  private var isProtocolNode: Bool { self["node-name"]?.string?.hasPrefix("#block") ?? false }

  /// A line of the monitor for people; nil for one that only QEMU has or that depends on its layout.
  private static func normalizedLine(_ line: String) -> String? {
    if line.contains("Attached to:") || line.hasPrefix("disk size:") { return nil }
    // The last columns of a table of snapshots: size, unit, date, time, clock.
    guard let match = line.firstMatch(of: /^(.{27}).*\d{4}-\d\d-\d\d \d\d:\d\d:\d\d .*$/) else {
      return line
    }
    return String(match.1)
  }

  /// Whether another value says the same; what a job says of its failure, and errors for people, may
  /// have more words.
  func says(_ other: JSONValue, at member: String? = nil) -> Bool {
    switch (self, other) {
    case (.object(let own), .object(let others)):
      return own.keys.sorted() == others.keys.sorted()
        && own.allSatisfy { key, value in
          others[key].map { value.says($0, at: key) } ?? false
        }
    case (.array(let own), .array(let others)):
      return own.count == others.count && zip(own, others).allSatisfy { $0.says($1) }
    case (.string(let own), .string(let other)):
      if own == other { return true }
      let start = own.hasPrefix("Error: ") ? String(own.prefix { $0 != "\r\n" }) : own
      return (member == "error" || own.hasPrefix("Error: ")) && other.hasPrefix(start)
    default: return self == other
    }
  }
}
