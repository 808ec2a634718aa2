import ArgumentParser
import QMP

/// `snapjob verify`.
struct VerifyCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Read every byte of the disks and compare with a second reader.",
    discussion: """
      The active state of each image is read by snapjob and by libqcow, an independent \
      implementation, and compared. Clusters that libqcow misreads or cannot read are left out and \
      counted. An argument with a slash is a file, otherwise a node, otherwise an existing file; \
      without arguments all nodes of the machine.

      Exit codes: 0 equal, as far as the second reader can look, 2 the readers differ.

      Examples:
        snapjob verify
        snapjob verify disk0 ./other.qcow2
      """)

  @Argument(help: "Nodes or files.", completion: .file()) var targets: [String] = []
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let output = session.output
    return try await session.withEndpoint { endpoint in
      let reports = try await endpoint.execute(
        "x-snapjob-verify", ["targets": .list(session.targets(targets))])
      output.json(reports)
      for report in reports.elements { Self.lines(report).forEach(output.line) }
      return Self.status(reports.elements)
    }
  }

  /// Differences weigh most, then the first image that could not be read.
  static func status(_ reports: [QMPValue]) -> ExitStatus {
    if reports.contains(where: { !($0["differences"]?.elements.isEmpty ?? true) }) {
      return .differs
    }
    let codes = reports.map { Int32(truncatingIfNeeded: $0.integer("exit-code")) }
    return codes.first { $0 != 0 }.map(ExitStatus.init(rawValue:)) ?? .done
  }

  /// One image's report for people.
  static func lines(_ report: QMPValue) -> [String] {
    let name = Table.printable(report.text("target"))
    let reader = report["second-reader"]?.asText ?? "libqcow"
    let problem = report.text("problem")
    guard problem.isEmpty else { return ["\(name): not compared: \(Table.printable(problem))"] }
    let differences = report["differences"]?.elements ?? []
    var lines: [String] = []
    let equal = Quantity.bytes(report.integer("bytes-equal"))
    if differences.isEmpty {
      lines.append("\(name): \(equal) equal to what \(reader) reads")
    } else {
      lines.append("\(name): differs from what \(reader) reads; \(equal) are equal")
      for range in differences {
        let bytes = Quantity.count(Int(clamping: range.integer("length")), "byte")
        lines.append("  \(bytes) from offset \(range.integer("offset"))")
      }
    }
    for member in report["left-out"]?.members ?? [] {
      let clusters = Quantity.count(Int(clamping: member.value.asInteger ?? 0), "cluster")
      lines.append("  left out: \(clusters) (\(member.name))")
    }
    return lines
  }
}
