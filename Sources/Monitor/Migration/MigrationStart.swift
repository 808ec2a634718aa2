import DeviceState
import Jobs
import QMP
import SnapshotJobs

/// How transfers begin and end.
extension CommandContext {
  /// Refuses what only a guest's migration can be asked for.
  func checkSending(_ arguments: Arguments) throws {
    if arguments.flag("resume") {
      throw JobError(.conflict, "Cannot resume if there is no paused migration")
    }
    for name in ["blk", "inc"] where arguments.flag(name) {
      throw JobError(
        .usage,
        "Parameter '\(name)' is not applicable: snapjob sends dirty bitmaps and nothing else; copy the "
          + "images themselves")
    }
  }

  /// Starts sending.
  func send(_ arguments: Arguments) async throws {
    try await requireStopped(try machine())
    let request = try request(.send, arguments)
    let address = try address(try arguments.string("uri"))
    let channels = services.channels
    try await start(request, arguments) { _ throws(JobError) in try channels.connect(to: address) }
  }

  /// Starts to listen, and then the receiving: who hears of it can connect.
  func receive(_ arguments: Arguments) async throws {
    try await requireStopped(try machine())
    let request = try request(.receive, arguments)
    let address = try address(try arguments.string("uri"))
    let listener = try services.channels.listen(at: address)
    do {
      try await start(request, arguments) { control throws(JobError) in
        try listener.accept(control)
      }
    } catch {
      listener.close()
      throw error
    }
  }

  /// Cancels the migration, if there is one.
  func cancelMigration() async throws {
    guard let migration = migrations.last, !migration.status.isEnd else { return }
    migrations.enter(.cancelling, job: migration.job)
    do throws(JobError) {
      try await services.runner.apply(.cancel, to: migration.job)
    } catch {
      // It has come to its end meanwhile.
      guard error.kind != .notFound else { return }
      throw error
    }
  }

  private func request(
    _ direction: BitmapTransferRequest.Direction, _ arguments: Arguments
  ) throws -> BitmapTransferRequest {
    let capabilities = migrations.capabilities
    guard capabilities.contains(.dirtyBitmaps) || arguments.flag("x-bitmaps") else {
      throw JobError(
        .usage,
        "There is nothing to migrate: a machine without a guest has dirty bitmaps only. Switch them on: "
          + #"migrate-set-capabilities {"capabilities": [{"capability": "dirty-bitmaps", "state": true}]}"#
      )
    }
    let given = try BlockBitmapMapping(ifPresent: "x-block-bitmap-mapping", in: arguments)
    var request = BitmapTransferRequest(
      direction, peer: try arguments.string("uri"),
      mapping: given ?? migrations.parameters.blockBitmapMapping)
    request.ignoresUnknown = arguments.flag("x-ignore-unknown")
    request.machineType = arguments.string(ifPresent: "x-machine-type") ?? ""
    if let seconds = arguments.unsigned(ifPresent: "x-timeout") {
      request.patienceSeconds = Int64(clamping: max(seconds, 1))
    }
    request.pausesBeforeSwitchover =
      direction == .send && capabilities.contains(.pauseBeforeSwitchover)
    if capabilities.contains(.validateUUID) { request.uuid = CommandTable.uuid }
    return request
  }

  private func start(
    _ request: BitmapTransferRequest, _ arguments: Arguments,
    open: @escaping BitmapTransferChannel
  ) async throws {
    let id = try arguments.string(ifPresent: "x-job-id").map { try JobID($0) } ?? JobID.migration()
    let options = JobOptions(id: id, note: arguments.string(ifPresent: "x-note"))
    let migrations = migrations
    try migrations.begin(
      Migration(job: id, isOutgoing: request.direction == .send, started: .now()))
    let work = services.images.work(request, on: try machine(), through: open) { stage in
      migrations.enter(stage.status, job: id)
    }
    do {
      try await start(request.direction.rawValue, request, options, work: work)
    } catch {
      migrations.forget(id)
      throw error
    }
    limitSpeed(of: id)
    followToItsEnd(id)
  }

  /// `max-bandwidth`; a job that is over by now was fast enough.
  private func limitSpeed(of id: JobID) {
    let limit = Int64(clamping: migrations.parameters.maxBandwidth)
    try? services.runner.setSpeed(limit, of: id)
  }

  private func followToItsEnd(_ id: JobID) {
    let (runner, migrations) = (services.runner, migrations)
    migrations.enter(.setup, job: id)
    Task(executorPreference: BlockingExecutor.shared) {
      let error: JobError?
      do throws(JobError) {
        error = try await runner.wait(for: id).error
      } catch let failure {
        error = failure
      }
      migrations.enter(MigrationStatus(endOf: error), job: id, error: error?.message)
    }
  }
}

extension JobID {
  /// A name for a job that was given none.
  fileprivate static func migration() throws(JobError) -> JobID {
    try JobID("migration-\(String(UInt64.random(in: .min ... .max), radix: 36))")
  }
}

extension BitmapTransferStage {
  /// The status that a migration has at this stage.
  fileprivate var status: MigrationStatus {
    switch self {
    case .connected: .active
    case .pausedBeforeSwitchover: .preSwitchover
    case .switchover: .device
    }
  }
}
