import ArgumentParser
import QMP

/// `snapjob bitmap show`.
struct BitmapShowCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "List the byte ranges of the disk that a bitmap has marked.",
    discussion: """
      With --json a list of {"node", "offset", "length"}, ascending: what an incremental backup has to \
      copy. Nothing else has changed since the bitmap was added or cleared.

      Examples:
        snapjob bitmap show disk0 daily
        snapjob bitmap show disk0 daily --json
        snapjob bitmap show ./disk.qcow2 daily --json
      """)

  @Argument(help: "A node or a file.", completion: .file()) var node: String
  @Argument(help: "The bitmap.") var name: String
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let ranges = try await session.withNode(node) { endpoint, node in
      try await endpoint.execute(
        "x-snapjob-bitmap-ranges", ["node": .string(node), "name": .string(name)])
    }
    let output = session.output
    output.json(ranges)
    let table = DiffCommand.table(ranges.elements)
    if !table.isEmpty { output.table(table) }
    let bytes = ranges.elements.reduce(0) { $0 &+ $1.integer("length") }
    let title = "Bitmap \"\(Table.printable(name))\""
    output.line(
      ranges.elements.isEmpty
        ? "\(title) marks nothing."
        : "\(title) marks \(Quantity.bytes(bytes)) in "
          + "\(Quantity.count(ranges.elements.count, "range")).")
    return .done
  }
}
