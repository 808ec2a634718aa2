import ArgumentParser
import Jobs
import QMP

/// `snapjob bitmap list`.
struct BitmapListCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the dirty bitmaps of the machine's disks.",
    discussion: """
      RECORDING says whether the bitmap records what the guest writes. STATE: consistent; in use while a \
      running machine records into it, whose process is named then; inconsistent if a program was \
      stopped while it did, and outdated if a program that does not know bitmaps has written to the \
      image: such a bitmap can be removed, or made usable again by snapjob bitmap repair, which counts \
      everything as changed.

      Examples:
        snapjob bitmap list
        snapjob bitmap list disk0
        snapjob bitmap list ./disk.qcow2 --json
      """)

  @Argument(help: "A node or a file. Default: all nodes.", completion: .file()) var node: String?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let bitmaps: QMPValue
    if let node {
      bitmaps = try await session.withNode(node) { endpoint, name in
        try await endpoint.execute("x-snapjob-bitmap-list", ["nodes": .list([name])])
      }
    } else {
      bitmaps = try await session.withEndpoint { endpoint in
        try await endpoint.execute("x-snapjob-bitmap-list", nil)
      }
    }
    let output = session.output
    output.json(bitmaps)
    let table = Self.table(bitmaps.elements)
    if table.isEmpty {
      if !output.isJSON {
        output.note("no bitmaps. Add one: \(NextStep("bitmap", "add", "NODE", "NAME"))")
      }
    } else {
      output.table(table)
    }
    return .done
  }

  private static func table(_ bitmaps: [QMPValue]) -> Table {
    var table = Table([
      .init("NODE"), .init("BITMAP"), .init("GRANULARITY", right: true), .init("RECORDING"),
      .init("DIRTY", right: true), .init("STATE"),
    ])
    for bitmap in bitmaps {
      let holder = bitmap["holder"]?.asText
      let state = bitmap.text("state").split(separator: "-").joined(separator: " ")
      table.add([
        bitmap.text("node"), bitmap.text("name"),
        Quantity.bytes(bitmap.integer("granularity")), bitmap.isTrue("enabled") ? "yes" : "no",
        bitmap["dirty-bytes"]?.asInteger.map(Quantity.bytes) ?? "",
        holder.map { "\(state) by \($0)" } ?? state,
      ])
    }
    return table
  }
}
