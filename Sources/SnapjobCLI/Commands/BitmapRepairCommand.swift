import ArgumentParser
import QMP

/// `snapjob bitmap repair`.
struct BitmapRepairCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "repair",
    abstract: "Make an inconsistent dirty bitmap usable again: everything counts as changed.",
    discussion: """
      A bitmap is inconsistent if the program that recorded into it was killed, or if a program that does \
      not know bitmaps has written to the image since. Nobody knows what has changed then, so the next \
      backup has to copy the whole disk; from then on the bitmap records again. A bitmap that is \
      consistent is left as it is. While a virtual machine runs, its bitmaps are in use, which is no \
      damage; they are refused then.

      Examples:
        snapjob bitmap repair disk0 daily
        snapjob bitmap repair ./disk.qcow2 daily
      """)

  @OptionGroup var bitmap: BitmapOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let (node, reply) = try await session.withNode(bitmap.node) { endpoint, node in
      let arguments: QMPValue = ["node": .string(node), "name": .string(bitmap.name)]
      return (node, try await endpoint.execute("x-snapjob-bitmap-repair", arguments))
    }
    session.output.noteChange()
    session.output.json(["return": reply])
    let name = "bitmap \"\(Table.printable(bitmap.name))\" on \(Table.printable(node))"
    if !session.output.isQuiet {
      session.output.line(
        reply.isTrue("repaired")
          ? "Repaired \(name): the whole disk counts as changed."
          : "Nothing to repair: \(name) is consistent.")
    }
    return .done
  }
}
