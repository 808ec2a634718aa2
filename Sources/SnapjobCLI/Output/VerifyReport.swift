import QMP

/// The outcome of verifying one image, as `x-snapjob-verify` returns it.
struct VerifyReport {
  private let report: QMPValue
  private let name: String
  private let reader: String

  /// Problems of one state that are printed; `--json` has more.
  private static let printedProblems = 20

  init(_ report: QMPValue) {
    self.report = report
    name = Table.printable(report.text("target"))
    reader = report["second-reader"]?.asText ?? "libqcow"
  }

  private var states: [QMPValue] { report["states"]?.elements ?? [] }
  private var structureProblems: [String] { report.texts("structure-problems") }
  private var differences: [QMPValue] { report["differences"]?.elements ?? [] }

  /// Whether something is wrong with the image, or the readers differ.
  private var isDamaged: Bool {
    !differences.isEmpty || !structureProblems.isEmpty
      || states.contains { $0.integer("problem-count") > 0 }
  }

  /// The exit code for this image.
  var status: ExitStatus {
    if isDamaged { return .differs }
    return ExitStatus(rawValue: Int32(truncatingIfNeeded: report.integer("exit-code")))
  }

  /// The exit code for several images: damage and differences weigh most, then the first image that
  /// could not be read.
  static func worst(_ reports: [VerifyReport]) -> ExitStatus {
    let statuses = reports.map(\.status)
    if statuses.contains(.differs) { return .differs }
    return statuses.first { $0 != .done } ?? .done
  }

  /// Why the image could not be verified; nil if it could.
  var failure: TargetFailure? {
    let problem = report.text("problem")
    guard states.isEmpty, !problem.isEmpty else { return nil }
    return TargetFailure(
      target: report.text("target"), filename: report.text("filename"), problem: problem)
  }

  /// The report for people: a line a state, then what the second reader says; nothing if the image could not
  /// be verified.
  var lines: [String] {
    if failure != nil { return [] }
    return states.flatMap(stateLines)
      + structureProblems.map { "\(name): damaged: \(Table.printable($0))" } + readerLines
  }

  private func stateLines(_ state: QMPValue) -> [String] {
    let lines = contentLines(state)
    guard let problem = state["device-state-problem"]?.asText else { return lines }
    return lines + ["  device state: \(Table.printable(problem))"]
  }

  private func contentLines(_ state: QMPValue) -> [String] {
    let tag = state["tag"]?.asText.map { "snapshot '\(Table.printable($0))'" }
    let subject = "\(name): \(tag ?? "active")"
    if let digest = state["digest"]?.asText { return ["\(subject): \(digest)"] }
    let count = Int(clamping: state.integer("problem-count"))
    guard count > 0 else { return ["\(subject): \(Self.unread(state))"] }
    let problems = (state["problems"]?.elements ?? []).prefix(Self.printedProblems)
    var lines = ["\(subject): \(Quantity.count(count, "problem"))"]
    lines += problems.map { "  \(Self.place($0)): \(Table.printable($0.text("text")))" }
    if count > problems.count { lines.append("  and \(count - problems.count) more") }
    return lines
  }

  /// What of a sound state was read; what was not, and why.
  private static func unread(_ state: QMPValue) -> String {
    var parts: [String] = []
    let backing = state.integer("bytes-from-backing-file")
    if backing > 0 {
      let file = Table.printable(state.text("backing-file"))
      parts.append(
        "\(Quantity.bytes(backing)) come from the backing file '\(file)', which was not opened")
    }
    let encrypted = state.integer("bytes-encrypted")
    if encrypted > 0 {
      parts.append("\(Quantity.bytes(encrypted)) are encrypted and were not read")
    }
    let isPart = !parts.isEmpty
    parts.append("\(Quantity.bytes(state.integer("bytes-read"))) can be read")
    return (isPart ? "no digest: " : "") + parts.joined(separator: ", ")
  }

  private var readerLines: [String] {
    let problem = Table.printable(report.text("problem"))
    var lines: [String] = []
    let equal = Quantity.bytes(report.integer("bytes-equal"))
    if !problem.isEmpty {
      lines.append("\(name): not compared with \(reader): \(problem)")
    } else if differences.isEmpty {
      lines.append("\(name): \(equal) equal to what \(reader) reads")
    } else {
      lines.append("\(name): differs from what \(reader) reads; \(equal) are equal")
      lines += differences.map { "  \(Self.place($0))" }
    }
    for member in report["left-out"]?.members ?? [] {
      let clusters = Quantity.count(Int(clamping: member.value.asInteger ?? 0), "cluster")
      lines.append("  left out: \(clusters) (\(Table.printable(member.name)))")
    }
    return lines
  }

  private static func place(_ range: QMPValue) -> String {
    let bytes = Quantity.count(Int(clamping: range.integer("length")), "byte")
    return "\(bytes) from offset \(range.integer("offset"))"
  }
}
