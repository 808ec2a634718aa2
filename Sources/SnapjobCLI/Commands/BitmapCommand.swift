import ArgumentParser

/// `snapjob bitmap`.
struct BitmapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bitmap",
    abstract: "The dirty bitmaps of disks: what has changed since the last backup.",
    discussion: """
      A persistent bitmap lies in the image and is kept by QEMU and by snapjob. While it is enabled it \
      records what a guest writes, and what a load changes.

      NODE is a disk of the machine; an argument with a slash is an image file, and so is the name of \
      an existing file that no node has.

      Examples:
        snapjob bitmap add disk0 daily
        snapjob bitmap list
        snapjob bitmap show disk0 daily --json
        snapjob bitmap clear disk0 daily
      """,
    subcommands: [
      BitmapListCommand.self, BitmapShowCommand.self, BitmapAddCommand.self,
      BitmapRemoveCommand.self, BitmapClearCommand.self, BitmapEnableCommand.self,
      BitmapDisableCommand.self, BitmapMergeCommand.self, BitmapRepairCommand.self,
      BitmapSendCommand.self, BitmapReceiveCommand.self, BitmapTransferCommand.self,
    ])
}
