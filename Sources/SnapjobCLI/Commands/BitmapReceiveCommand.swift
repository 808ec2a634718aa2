import ArgumentParser
import QMP

/// `snapjob bitmap receive`.
struct BitmapReceiveCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "receive",
    abstract: "Receive bitmaps from another snapjob, from a QEMU, or out of a file.",
    discussion: """
      Listens until somebody connects, once. A UNIX socket is its owner's alone; to a TCP port (localhost \
      only) any user of this computer can connect. A migrating QEMU \
      connects by migrate, with the capability dirty-bitmaps; of its stream only the bitmaps are taken. All \
      bitmaps of all disks are added under one commit, or none: an unknown alias, a name that a disk has \
      already, another disk size or a stream that is cut off is an error that leaves every disk as it was. \
      The machine has to be off.

      Examples:
        snapjob bitmap receive --from unix:/run/bitmaps.sock
        snapjob bitmap receive --from unix:/run/b.sock --mapping disk0/b0=alias0/balias0
        snapjob -m web01 bitmap receive --from file:web01.bitmaps --ignore-unknown
      """)

  @Option(
    name: .customLong("from"),
    help: ArgumentHelp(
      "Where to listen: unix:PATH or tcp:HOST:PORT; or file:PATH.", valueName: "uri"))
  var source: StreamAddress
  @OptionGroup var options: TransferOptions
  @Flag(help: "Take the bitmaps whose aliases are known, and tell which are not.")
  var ignoreUnknown = false
  @Option(
    help: ArgumentHelp(
      "For how long a sender that has connected may do nothing. Default: 60.", valueName: "seconds")
  )
  var timeout: Seconds?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let uri = try source.uri(session.host)
    let run = BitmapRun(verb: .receive, peer: uri, options: options, session: session)
    return try await run.perform(
      "migrate-incoming",
      [
        .init("uri", .string(uri)), .init("x-ignore-unknown", ignoreUnknown ? true : nil),
        .init("x-timeout", timeout.map { .int(max(1, $0.duration.components.seconds)) }),
      ])
  }
}
