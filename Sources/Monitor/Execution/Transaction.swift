import Jobs
import QMP
import SnapshotJobs

/// The actions of one `transaction`, done all or not at all.
///
/// As in QEMU the actions are looked at in their order, and the first that cannot be done is the
/// reason why none is. Device snapshots are permanent when the command returns; jobs are running
/// then.
struct Transaction {
  /// One action.
  enum Action {
    /// Fails, so that the others are undone; for tests.
    case abort
    /// Takes a device snapshot.
    case take(DeviceSnapshotAction)
    /// Starts a snapshot job, with these arguments.
    case job(SnapshotRequest, Arguments)
  }

  private let actions: [Action]
  private let grouping: JobGrouping

  init(_ actions: [Action], _ grouping: JobGrouping) {
    self.actions = actions
    self.grouping = grouping
  }

  /// Does it.
  ///
  /// - Throws: the reason why nothing was done.
  func run(in context: CommandContext) async throws {
    var jobs = try JobList(grouping, context)
    var takes: [DeviceSnapshotAction] = []
    var refusal: (any Error)?
    for action in actions where refusal == nil {
      do {
        switch action {
        case .abort: throw JobError(.general, "Transaction aborted using Abort action")
        case .take(let take):
          try checkIndividual()
          takes.append(take)
        case .job(let request, let arguments):
          try jobs.add(request, try JobOptions(arguments))
        }
      } catch {
        refusal = error
      }
    }
    // Their own refusals come first: they stand before the action that was refused.
    let change = takes.isEmpty ? nil : try context.services.images.prepare(takes, on: jobs.machine)
    var isDecided = false
    do {
      if let refusal { throw refusal }
      try await context.start(jobs.jobs, grouping) { () throws(JobError) in
        isDecided = true
        try change?.commit()
      }
    } catch {
      if !isDecided { try change?.undo() }
      throw error
    }
  }

  private func checkIndividual() throws(JobError) {
    guard grouping == .individual else {
      throw JobError(
        .usage,
        "Action '\(Action.takeName)' does not support Transaction property completion-mode = grouped"
      )
    }
  }
}

/// The jobs of a transaction, checked one after the other as far as a synchronous error may tell.
private struct JobList {
  let machine: Machine
  private(set) var jobs: [NewJob] = []
  private let grouping: JobGrouping
  private let images: any MachineImages
  private var takenIDs: Set<JobID>
  private var takenDevices: Set<String> = []

  init(_ grouping: JobGrouping, _ context: CommandContext) throws {
    machine = try context.machine()
    images = context.services.images
    takenIDs = Set(try context.services.runner.jobs().map(\.id))
    self.grouping = grouping
  }

  mutating func add(_ request: SnapshotRequest, _ options: JobOptions) throws {
    var request = request
    request.isGrouped = grouping == .grouped ? true : nil
    request.name(options.id, on: machine)
    guard takenIDs.insert(options.id).inserted else { throw JobError.jobIDInUse(options.id) }
    if grouping == .grouped {
      for device in request.devices where !takenDevices.insert(device).inserted {
        throw JobError(
          .usage,
          "Node '\(device)' is listed twice; jobs that complete as a group change each disk once")
      }
    }
    jobs.append(
      try NewJob(
        request.operation.rawValue, request, options, work: images.work(request, on: machine)))
  }
}
