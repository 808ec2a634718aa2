import ArgumentParser

/// `snapjob bitmap`.
struct BitmapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bitmap",
    abstract: "Dirty bitmaps, on which incremental backups are built.",
    subcommands: [
      BitmapSendCommand.self, BitmapReceiveCommand.self, BitmapTransferCommand.self,
    ])
}
