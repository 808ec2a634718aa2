import ArgumentParser
import QMP

/// `snapjob bitmap merge`.
struct BitmapMergeCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Add what other bitmaps have marked to a bitmap.",
    discussion: """
      A source is a bitmap of the same disk, or NODE/NAME for one of another disk of the same size. \
      Granularities may differ. All sources are added by one change, or none.

      Examples:
        snapjob bitmap merge disk0 weekly monday tuesday
        snapjob bitmap merge copy0 daily disk0/daily
        snapjob bitmap merge ./disk.qcow2 weekly daily
      """)

  @Argument(help: "A node or a file.", completion: .file()) var node: String
  @Argument(help: "The bitmap that is added to.") var target: String
  @Argument(help: ArgumentHelp("Bitmaps that are added.", valueName: "source")) var sources:
    [String]
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let sources = sources.map { source -> QMPValue in
      let bitmap = BitmapArgument(source)
      guard let node = bitmap.node else { return .string(source) }
      return ["node": .string(node), "name": .string(bitmap.name)]
    }
    return try await session.changeBitmap(
      "block-dirty-bitmap-merge", of: node, done: "Merged into", name: target
    ) { node in
      [
        "node": .string(node), "target": .string(target), "bitmaps": .array(sources),
      ]
    }
  }
}
