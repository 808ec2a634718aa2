import ArgumentParser
import FileNames
import QMP

/// `snapjob bitmap add`.
struct BitmapAddCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add a dirty bitmap to a disk.",
    discussion: """
      It begins clean and records from now on: with the full backup that is made before anything else \
      writes, it says what the next backup has to copy.

      Examples:
        snapjob bitmap add disk0 daily
        snapjob bitmap add disk0 fine --granularity 4k
        snapjob bitmap add ./disk.qcow2 daily --disabled
      """)

  @Argument(help: "A node or a file.", completion: .file()) var node: String
  @Argument(help: "The new bitmap's name.") var name: String
  @Option(
    help: ArgumentHelp(
      "Bytes of the disk for each bit: a power of two from 512 to 2G. Default: the image's cluster "
        + "size, but at least 4k and at most 64k.", valueName: "size"))
  var granularity: ByteSize?
  @Flag(help: "Record nothing until it is enabled.") var disabled = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if name.hasBytesOfFileNames {
      throw ValidationError("The bitmap's name is no UTF-8. Give it another one")
    }
  }

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.changeBitmap("block-dirty-bitmap-add", of: node, done: "Added", name: name) {
      node in
      .present([
        "node": .string(node), "name": .string(name),
        "granularity": granularity.map { .int($0.byteCount) }, "persistent": true,
        "disabled": disabled ? true : nil,
      ])
    }
  }
}
