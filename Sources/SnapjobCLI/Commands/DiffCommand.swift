import ArgumentParser
import FileNames
import QMP

/// `snapjob diff`.
struct DiffCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "List the byte ranges of the disks that may differ between two snapshots.",
    discussion: """
      --to current is the present state. The snapshots' tables are compared, not their data: a range \
      that is not listed is equal, one that is listed may hold equal bytes after all. Exact to the \
      cluster, or to the subcluster. If the disk was resized, what only one of the two has is a range.

      Works also while a virtual machine holds the images; the present state is then what the machine \
      has written to the files so far.

      A leading tag: is no part of the name, so that a snapshot that is called current can be named: \
      --to tag:current.

      Examples:
        snapjob diff --from monday --to tuesday
        snapjob diff --from monday --to current --device disk0 --json
        snapjob diff --from clean --to current --file a.qcow2
      """)

  @Option(help: ArgumentHelp("The snapshot to start from.", valueName: "tag")) var from: String
  @Option(
    help: ArgumentHelp(
      "The snapshot to compare with, or current for the present state.", valueName: "tag"))
  var to: String
  @OptionGroup var disks: DiskOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  var images: [String] { disks.files }

  func perform(in session: Session) async throws -> ExitStatus {
    try disks.check(session.settings)
    let (ranges, names) = try await session.withEndpoint(files: disks.files, recovers: false) {
      endpoint in
      let disks = try await Disks(disks, vmstate: nil, on: endpoint, session: session)
      let ranges = try await InspectionRun(title: "diff", session: session).execute(
        "x-snapjob-diff",
        .present([
          "from": .string(Self.tag(from)), "to": to == "current" ? nil : .string(Self.tag(to)),
          "devices": .list(disks.devices),
        ]), on: endpoint)
      return (ranges, disks.description)
    }
    let output = session.output
    output.json(ranges)
    let table = Self.table(ranges.elements)
    if !table.isEmpty { output.table(table) }
    output.line(Self.total(ranges.elements, disks: names))
    return .done
  }

  /// The name that is meant by an argument.
  private static func tag(_ argument: String) -> String {
    argument.suffix(after: "tag:") ?? argument
  }

  /// Ranges of disks for people.
  static func table(_ ranges: [QMPValue]) -> Table {
    var table = Table([
      .init("NODE"), .init("OFFSET", right: true), .init("LENGTH", right: true),
      .init("SIZE", right: true),
    ])
    for range in ranges {
      let length = range.integer("length")
      table.add([
        range.text("node"), "\(range.integer("offset"))", "\(length)", Quantity.bytes(length),
      ])
    }
    return table
  }

  private static func total(_ ranges: [QMPValue], disks: String) -> String {
    if ranges.isEmpty { return "Nothing differs on \(disks)." }
    let bytes = ranges.reduce(0) { $0 &+ $1.integer("length") }
    let count = Quantity.count(ranges.count, "range")
    return "\(Quantity.bytes(bytes)) in \(count) may differ on \(disks)."
  }
}
