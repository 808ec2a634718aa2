import ArgumentParser
import QMP

/// `snapjob bitmap send`.
struct BitmapSendCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Send bitmaps to another snapjob, to a QEMU, or into a file.",
    discussion: """
      Nothing changes here: the bitmaps stay on their disks, and the machine has to be off. The stream is \
      that of a QEMU migration with nothing but dirty bitmaps in it. The receiver is started first: \
      snapjob bitmap receive, or QEMU with -incoming (or migrate-incoming), the capability \
      dirty-bitmaps, and a mapping with the same aliases. A receiving QEMU keeps its own devices. Every \
      machine type accepts the stream unless one is named.

      URI is unix:PATH, tcp:HOST:PORT (localhost only, as nothing is encrypted; between hosts take \
      ssh -L), or file:PATH, which must not exist.

      Examples:
        snapjob bitmap send --to unix:/run/bitmaps.sock
        snapjob bitmap send --to unix:/run/b.sock --mapping disk0/b0=alias0/balias0
        snapjob -m web01 bitmap send --to file:web01.bitmaps --mapping mapping.json
      """)

  @Option(
    name: .customLong("to"),
    help: ArgumentHelp("Where: unix:PATH, tcp:HOST:PORT or file:PATH.", valueName: "uri"))
  var target: StreamAddress
  @OptionGroup var options: TransferOptions
  @Option(
    help: ArgumentHelp(
      "What the stream says that the machine is.",
      discussion: """
        See qemu-system-x86_64 -machine help. A receiving QEMU of another type refuses the stream, and \
        ends. Default: nothing, which suits any.
        """,
      valueName: "type"))
  var machineType: String?
  @Option(
    help: ArgumentHelp(
      "For how long the receiver may do nothing. Default: 60.", valueName: "seconds"))
  var timeout: Seconds?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    let uri = try target.uri(session.host)
    let run = BitmapRun(verb: .send, peer: uri, options: options, session: session)
    return try await run.perform(
      "migrate",
      [
        .init("uri", .string(uri)), .init("x-machine-type", machineType.map { .string($0) }),
        .init("x-timeout", timeout.map { .int(max(1, $0.duration.components.seconds)) }),
      ])
  }
}
