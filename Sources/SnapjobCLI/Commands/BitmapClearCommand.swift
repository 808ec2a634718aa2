import ArgumentParser
import QMP

/// `snapjob bitmap clear`.
struct BitmapClearCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "clear",
    abstract: "Mark nothing as changed any more.",
    discussion: """
      What is written from now on is marked again. To clear a bitmap at the very moment of a snapshot: \
      snapjob save --tag TAG --clear-bitmap NAME, which is one commit.

      Examples:
        snapjob bitmap clear disk0 daily
        snapjob bitmap clear ./disk.qcow2 daily
      """)

  @OptionGroup var bitmap: BitmapOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.change(bitmap, "block-dirty-bitmap-clear", done: "Cleared")
  }
}
