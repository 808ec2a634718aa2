import ArgumentParser
import QMP

/// `snapjob bitmap disable`.
struct BitmapDisableCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "disable",
    abstract: "Let a dirty bitmap record no more.",
    discussion: """
      Bits that are set stay set, through loads too.

      Examples:
        snapjob bitmap disable disk0 daily
        snapjob bitmap disable ./disk.qcow2 daily
      """)

  @OptionGroup var bitmap: BitmapOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    try await session.change(bitmap, "block-dirty-bitmap-disable", done: "Disabled")
  }
}
