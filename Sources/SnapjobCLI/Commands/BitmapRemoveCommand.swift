import ArgumentParser
import QMP

/// `snapjob bitmap remove`.
struct BitmapRemoveCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Remove a dirty bitmap from a disk.",
    discussion: """
      An inconsistent bitmap can be removed as well.

      Examples:
        snapjob bitmap remove disk0 daily
        snapjob bitmap remove ./disk.qcow2 daily
      """)

  @OptionGroup var bitmap: BitmapOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.change(bitmap, "block-dirty-bitmap-remove", done: "Removed")
  }
}
