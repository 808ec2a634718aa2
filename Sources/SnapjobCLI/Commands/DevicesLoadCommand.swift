import ArgumentParser
import QMP

/// `snapjob devices load`.
struct DevicesLoadCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Give a machine that is off the device state of a file.",
    discussion: """
      The file is read to its last byte first; if anything is wrong with it, that is said with the offset and \
      nothing changes. A whole stream (of devices save --with-ram, or a migration to a file) becomes the \
      machine's state. The devices of a file without RAM take the place of those that the machine has now, \
      which must be the same ones.

      The state waits beside the catalog until the next save, which puts it into its snapshot; from there QEMU \
      goes on with -loadvm. It is lost if something else writes to the disks before.

      A running machine takes its state from nobody: QEMU 7.2 to 10.2 end when they are asked to. --force asks \
      all the same.

      Examples:
        snapjob devices load migrated.state && snapjob save --tag from-file
        snapjob -m web01 devices load patched.devices
      """)

  @Argument(help: "The file to read.", completion: .file()) var file: String
  @Flag(help: "Ask a running QEMU all the same; most versions end.") var force = false
  @Option(
    name: .customLong("job-id"),
    help: ArgumentHelp("The job's name. Default: devices-load-<time>-<random>.", valueName: "id"))
  var jobID: String?
  @Option(help: "A note that the history keeps with the job.") var note: String?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func perform(in session: Session) async throws -> ExitStatus {
    var run = try DeviceStateRun(
      verb: .load, file: session.host.absolute(file), jobID: jobID, note: note, session: session)
    if force { run.members.append(.init("x-force", true)) }
    return try await run.perform()
  }
}
