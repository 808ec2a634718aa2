import ArgumentParser
import QMP

/// `snapjob devices save`.
struct DevicesSaveCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "save",
    abstract: "Write the state of the devices into a file.",
    discussion: """
      The format is that of QEMU's xen-save-devices-state: the devices alone, without RAM. --with-ram writes \
      the whole stream, from which qemu-system-… -incoming goes on (file:PATH, or exec:cat PATH).

      A machine that is off has the state of the snapshot that it has loaded last, or of devices load, as long \
      as nobody but snapjob has written to its disks. A running one is asked itself, and stands still \
      meanwhile. With --tag it is the state that a snapshot keeps, whether the machine runs or not.

      FILE appears when all of it is on the disk, with mode 0600; if anything goes wrong, or the command is \
      interrupted, what was there is still there. A qcow2 image, or what is no regular file, is never replaced.

      Examples:
        snapjob devices save web01.devices
        snapjob devices save before.devices --tag before-upgrade
        snapjob devices save whole.state --tag before-upgrade --with-ram
      """)

  @Argument(help: "The file to write.", completion: .file()) var file: String
  @Option(help: "The snapshot whose state it is.") var tag: String?
  @Flag(help: "Write everything, RAM included.") var withRam = false
  @Flag(help: "Leave out the footers of sections, as under Xen.") var noFooters = false
  @Option(
    name: .customLong("job-id"),
    help: ArgumentHelp("The job's name. Default: devices-save-<time>-<random>.", valueName: "id"))
  var jobID: String?
  @Option(help: "A note that the history keeps with the job.") var note: String?
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if withRam, noFooters {
      throw ValidationError("--with-ram and --no-footers exclude each other")
    }
  }

  func perform(in session: Session) async throws -> ExitStatus {
    var run = try DeviceStateRun(
      verb: .save, file: session.host.absolute(file), jobID: jobID, note: note, session: session)
    if let tag { run.members.append(.init("x-tag", .string(tag))) }
    if withRam { run.members.append(.init("x-with-ram", true)) }
    if noFooters { run.members.append(.init("x-footers", false)) }
    return try await run.perform()
  }
}
