import ArgumentParser
import QMP

/// `snapjob save`.
struct SaveCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "save",
    abstract: "Save a snapshot on all disks.",
    discussion: """
      With --clear-bitmap the snapshot is the point in time of a backup: copy what the bitmap has marked \
      so far, and the next backup takes what it marks from then on.

      Waits for the job. The first line of stdout is the job's id, the last one says what was done.

      A machine that is off has device state (its memory included) after a load of a snapshot that holds \
      some, or after devices load, as long as nobody but snapjob writes to its disks. The snapshot keeps it \
      then; nothing is copied unless --vmstate names another node than the one that has it. State that is out \
      of date is left out, and that is said; with --vmstate it is an error.

      Examples:
        snapjob save --tag before-upgrade
        snapjob save --tag nightly --replace --note "before the backup"
        snapjob save --tag clean --file a.qcow2 b.qcow2
        snapjob save --tag big --detach
        snapjob save --tag disks --disk-only
        snapjob save --tag point --clear-bitmap daily
      """,
    aliases: ["create"])

  @OptionGroup var tag: TagOption
  @OptionGroup var disks: DiskOptions
  @Option(
    help: ArgumentHelp(
      "The node that keeps device state. Default: the machine's setting, else the first node.",
      valueName: "node"))
  var vmstate: String?
  @Flag(help: "Leave device state out.") var diskOnly = false
  @Flag(help: "A tag that is complete on all nodes is success.") var existOk = false
  @Flag(help: "Take an old snapshot of this tag out in the same commit.") var replace = false
  @Flag(help: "If a running machine dies meanwhile, leave its disks as they are.")
  var noHeal = false
  @Option(
    name: .customLong("clear-bitmap"),
    help: ArgumentHelp(
      "Clear a dirty bitmap under the same commit: from then on it marks what differs from the snapshot. "
        + "NAME on all disks of the job, or NODE/NAME; may be repeated.", valueName: "bitmap"))
  var clearedBitmaps: [String] = []
  @OptionGroup(title: "Job options") var job: JobOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if existOk, replace { throw ValidationError("--exist-ok and --replace exclude each other") }
  }

  var images: [String] { disks.files }

  func perform(in session: Session) async throws -> ExitStatus {
    var order = SnapshotOrder(verb: .save, tags: [tag.name])
    order.vmstate = vmstate
    order.mayDoNothing = existOk
    if diskOnly { order.members.append(.init("x-disk-only", true)) }
    if existOk { order.members.append(.init("x-exist-ok", true)) }
    if noHeal { order.members.append(.init("x-no-heal", true)) }
    if vmstate != nil { order.members.append(.init("x-require-state", true)) }
    if replace { order.members.append(.init("x-replace", true)) }
    order.clearedBitmaps = clearedBitmaps
    return try await SnapshotRun(
      order: order, diskOptions: disks, job: job, isConfirmed: true, session: session
    ).perform()
  }
}
