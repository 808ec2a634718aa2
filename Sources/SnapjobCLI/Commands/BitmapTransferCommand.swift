import ArgumentParser
import QMP

/// `snapjob bitmap transfer`.
struct BitmapTransferCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "transfer",
    abstract: "Copy bitmaps to another machine of the catalog.",
    discussion: """
      Both sides are jobs of this process, and one transaction: all bitmaps are added to the other \
      machine's disks, or none. They stay where they are as well. In a mapping the aliases are the names \
      on the other machine; without one they have the same names there. Both machines have to be off.

      Examples:
        snapjob -m web01 bitmap transfer --to-machine web02
        snapjob -m web01 bitmap transfer --to-machine web02 --mapping root/daily=disk0/daily
      """)

  @Option(help: ArgumentHelp("The machine that gets the bitmaps.", valueName: "machine"))
  var toMachine: String
  @OptionGroup var options: TransferOptions
  @Flag(help: "Copy the bitmaps whose disks the other machine has, and tell which it has not.")
  var ignoreUnknown = false
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let run = BitmapRun(verb: .transfer, peer: toMachine, options: options, session: session)
    return try await run.perform(
      "x-snapjob-bitmap-transfer",
      [
        .init("to-machine", .string(toMachine)),
        .init("ignore-unknown", ignoreUnknown ? true : nil),
      ])
  }
}
