import ArgumentParser
import QMP

/// `snapjob bitmap enable`.
struct BitmapEnableCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "enable",
    abstract: "Let a dirty bitmap record what is written.",
    discussion: """
      Bits that are set stay set.

      Examples:
        snapjob bitmap enable disk0 daily
        snapjob bitmap enable ./disk.qcow2 daily
      """)

  @OptionGroup var bitmap: BitmapOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.change(bitmap, "block-dirty-bitmap-enable", done: "Enabled")
  }
}
