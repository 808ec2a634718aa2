import ArgumentParser
import QMP

/// `snapjob delete`.
struct DeleteCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Delete snapshots wherever they are on the disks.",
    discussion: """
      Several tags are deleted under one commit. A tag that is nowhere is an error (exit code 4), \
      or success with --missing-ok. On a terminal this is asked about. A snapshot of another program whose \
      name is empty, no text or another one's as well is named by its id, on one disk.

      Examples:
        snapjob delete --tag before-upgrade
        snapjob delete --tag monday tuesday --missing-ok --yes
        snapjob delete --id 3 --device disk0
      """)

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("The snapshots' names.", valueName: "tag"))
  var tag: [String] = []
  @Option(
    help: ArgumentHelp(
      "The id on one disk (list --json) of a snapshot that has no name which can be given.",
      valueName: "id"))
  var id: String?
  @OptionGroup var disks: DiskOptions
  @Flag(help: "A tag that is nowhere is success.") var missingOk = false
  @Flag(name: .shortAndLong, help: "Do not ask.") var yes = false
  @OptionGroup(title: "Job options") var job: JobOptions
  @OptionGroup(title: "Global options") var globals: GlobalOptions

  func validate() throws {
    if id == nil, tag.isEmpty {
      throw ValidationError("Missing expected argument '--tag <tag> ...' (or '--id <id>')")
    }
    if id != nil, !tag.isEmpty { throw ValidationError("--tag or --id; not both") }
  }

  var images: [String] { disks.files }

  func perform(in session: Session) async throws -> ExitStatus {
    var order = SnapshotOrder(verb: .delete, tags: tag)
    order.snapshotID = id
    if !missingOk { order.members.append(.init("x-must-exist", true)) }
    return try await SnapshotRun(
      order: order, diskOptions: disks, job: job, isConfirmed: yes, session: session
    ).perform()
  }
}
