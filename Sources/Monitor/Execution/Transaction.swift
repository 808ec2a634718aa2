import Jobs
import QMP
import SnapshotJobs

/// The actions of one `transaction`, done all or not at all.
///
/// As in QEMU the actions are looked at in their order, and the first that cannot be done is the
/// reason why none is. Device snapshots are permanent when the command returns; jobs are running
/// then. So are changes of bitmaps, but those on a disk of a snapshot job belong to the job: they are
/// committed with it, or not at all.
struct Transaction {
  /// One action.
  enum Action {
    /// Fails, so that the others are undone; for tests.
    case abort
    /// Takes a device snapshot.
    case take(DeviceSnapshotAction)
    /// Changes bitmaps.
    case bitmap(BitmapCommand, BitmapAction)
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
    let adoptions = BitmapAdoptions(actions)
    var jobs = try JobList(grouping, context)
    var changes: [ImageAction] = []
    var bitmapActions: [BitmapAction] = []
    var refusal: (any Error)?
    for (index, action) in actions.enumerated() where refusal == nil {
      do {
        switch action {
        case .abort: throw JobError(.general, "Transaction aborted using Abort action")
        case .take(let take):
          try checkIndividual(Action.takeName)
          changes.append(.snapshot(take))
        case .bitmap(let command, let action):
          bitmapActions.append(action)
          if adoptions.isAdopted(index) {
            try context.services.images.rehearse(bitmapActions, on: jobs.machine)
          } else {
            try checkIndividual(command.rawValue)
            changes.append(.bitmap(action))
          }
        case .job(let request, let arguments):
          try jobs.add(adoptions.complete(request, at: index), try JobOptions(arguments))
        }
      } catch {
        refusal = error
      }
    }
    // Their own refusals come first: they stand before the action that was refused.
    let change =
      changes.isEmpty ? nil : try context.services.images.prepare(changes, on: jobs.machine)
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

  private func checkIndividual(_ action: String) throws(JobError) {
    guard grouping == .individual else {
      throw JobError(
        .usage,
        "Action '\(action)' does not support Transaction property completion-mode = grouped"
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
