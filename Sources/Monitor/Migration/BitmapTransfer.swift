import DeviceState
import Jobs
import QMP
import SnapshotJobs

/// A transfer between two machines of this catalog: a job that sends and one that receives, connected with
/// each other and committed together.
struct BitmapTransfer {
  /// What the name of the sending job ends with; the receiving one has the name that was asked for.
  static let sendingSuffix = "-send"

  private let requests: [JobRunner.Request]

  /// Prepares both jobs; nothing is opened yet.
  ///
  /// - Parameters:
  ///   - arguments: of `x-snapjob-bitmap-transfer`. The mapping's aliases are names on the other machine.
  ///   - source: sends.
  ///   - destination: receives.
  ///   - context: what the jobs work with.
  /// - Throws: what is wrong with the arguments.
  init(
    _ arguments: Arguments, from source: Machine, to destination: Machine, _ context: CommandContext
  ) throws {
    let id = try arguments.string("job-id")
    let note = arguments.string(ifPresent: "note")
    var send = BitmapTransferRequest(
      .send, peer: destination.name ?? "",
      mapping: try BlockBitmapMapping(ifPresent: "block-bitmap-mapping", in: arguments))
    send.isWithinProcess = true
    var receive = BitmapTransferRequest(.receive, peer: source.name ?? "its files", mapping: nil)
    receive.isWithinProcess = true
    receive.ignoresUnknown = arguments.flag("ignore-unknown")
    let ends = try context.services.channels.pair()
    requests = try [
      (receive, destination, JobID(id), ends.0),
      (send, source, JobID(id + Self.sendingSuffix), ends.1),
    ].map { request, machine, id, channel in
      let work = context.services.images.work(
        request, on: machine, through: { _ throws(JobError) in channel }, onStage: { _ in })
      let job = try NewJob(
        request.direction.rawValue, request, JobOptions(id: id, note: note), work: work)
      return JobRunner.Request(record: job.record(onMachine: machine.name), work: work)
    }
  }

  /// Starts both jobs, as soon as no other one is on the two machines.
  func start(in context: CommandContext) async throws {
    let new = requests.map(\.record.id).filter { context.ownJobs.insert($0) }
    do {
      try await context.whenIdle { () throws(JobError) in
        try context.services.runner.start(requests, .grouped)
      }
    } catch {
      new.forEach(context.ownJobs.remove)
      throw error
    }
  }
}
