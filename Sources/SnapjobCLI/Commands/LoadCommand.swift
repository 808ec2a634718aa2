import ArgumentParser
import QMP

/// `snapjob load`.
struct LoadCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Go back to a snapshot on all disks.",
    discussion: """
      What was written since and is in no snapshot is lost; on a terminal this is asked about. \
      --save-current keeps it: the present state is saved and the other one loaded under one commit.

      A snapshot's device state goes with the disks from then on: the next save keeps it, too. To resume \
      the machine where it was, start QEMU with -loadvm TAG.

      Examples:
        snapjob load --tag before-upgrade
        snapjob load --tag before-upgrade --save-current after-upgrade --yes
        snapjob load --tag clean --file a.qcow2 b.qcow2 --yes
        snapjob load --id 3 --device disk0
      """,
    aliases: ["apply"])

  @OptionGroup var snapshot: ChosenSnapshot
  @OptionGroup var disks: DiskOptions
  @Option(
    help: ArgumentHelp(
      "The node that keeps device state. Default: the machine's setting, else the first node.",
      valueName: "node"))
  var vmstate: String?
  @Option(
    help: ArgumentHelp("Save the present state under this tag first.", valueName: "tag"))
  var saveCurrent: String?
  @Flag(help: "Leave a running machine stopped if it refuses before anything was changed.")
  var noResume = false
  @Flag(help: "Refuse if a disk has dirty bitmaps, as QEMU does. Default: they mark what changes.")
  var strictBitmaps = false
  @Flag(name: .shortAndLong, help: "Do not ask.") var yes = false
  @OptionGroup(title: "Job options") var job: JobOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  var images: [String] { disks.files }

  func perform(in session: Session) async throws -> ExitStatus {
    var order = SnapshotOrder(verb: .load, tags: snapshot.tags)
    order.snapshotID = snapshot.id
    order.vmstate = vmstate
    order.saveCurrent = saveCurrent
    if strictBitmaps { order.members.append(.init("x-strict-bitmaps", true)) }
    if noResume { order.members.append(.init("x-no-resume", true)) }
    if let saveCurrent { order.members.append(.init("x-save-current", .string(saveCurrent))) }
    return try await SnapshotRun(
      order: order, diskOptions: disks, job: job, isConfirmed: yes, session: session
    ).perform()
  }
}
