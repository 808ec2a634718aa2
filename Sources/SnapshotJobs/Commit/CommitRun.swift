internal import Jobs
internal import Qcow2
private import Synchronization

/// One commit of this process on its way: performs what ``CommitWorker`` says.
final class CommitRun: AnnouncedCommit {
  private struct State {
    var worker: CommitWorker
    var claim: CommitClaim?
    var failure: JobError?
  }

  private let images: [PreparedImage]
  private let files: [SectorFile]
  private let intent: CommitIntent
  private let log: any CommitLog
  private let access: any FileAccess
  private let onCommit: @Sendable () throws(JobError) -> Void
  private let state: Mutex<State>

  /// A commit that nothing is known of yet outside this process.
  ///
  /// - Parameters:
  ///   - members: what was prepared, at least one image, and the job that prepared it.
  ///   - jobs: the jobs that it concludes.
  ///   - waits: whether somebody will have to finalize it.
  ///   - access: where image files come from.
  ///   - log: where it is noted.
  ///   - tables: the protocol.
  ///   - onCommit: called before the first image is changed; what it throws takes the commit back.
  /// - Throws: `JobError` if a first sector has no room.
  init(
    _ members: [(image: PreparedSnapshots.Member, job: JobID?)], jobs: [JobID], waits: Bool = false,
    access: any FileAccess, log: any CommitLog, tables: CommitTables,
    onCommit: @escaping @Sendable () throws(JobError) -> Void
  ) throws(JobError) {
    self.access = access
    self.log = log
    self.onCommit = onCommit
    let id = CommitID()
    var described: [CommitIntent.Member] = []
    for (index, (member, job)) in members.enumerated() {
      do throws(Qcow2Error) {
        described.append(
          CommitIntent.Member(
            node: member.node.name.description, path: member.node.path,
            sectors: try member.prepared.sectors(
              FenceMark(
                commit: id, catalog: log.catalogID, member: index, memberCount: members.count)),
            deviceState: member.deviceState, job: job, madeSnapshots: member.prepared.madeSnapshots,
            identity: member.prepared.image.identity))
      } catch {
        throw JobError(error, node: member.node.name.description)
      }
    }
    intent = CommitIntent(id: id, jobs: jobs, created: .now, members: described)
    images = members.map(\.image.prepared)
    files = images.map(\.image.sectorFile)
    state = Mutex(
      State(
        worker: CommitWorker(memberCount: members.count, waits: waits, tables: tables)))
  }

  // MARK: Ways

  /// Goes as far as the intent.
  func announce() throws(JobError) {
    try checkRoom()
    run { $0.isAnnounced }
    let (ending, failure) = state.withLock { state in (state.worker.ending, state.failure) }
    if ending != nil { throw failure ?? JobError(.general, "The commit could not be begun") }
  }

  func commit() -> CommitOutcome {
    do throws(JobError) {
      try onCommit()
    } catch {
      state.withLock { state in
        state.failure = error
        state.worker.cancel()
      }
    }
    run { _ in false }
    return outcome
  }

  func cancel() {
    state.withLock { state in state.worker.cancel() }
    run { _ in false }
    state.withLock { state in state.claim = nil }
  }

  private var outcome: CommitOutcome {
    state.withLock { state in
      state.claim = nil
      let failure =
        state.failure ?? JobError(.general, "The commit could not be brought to its end")
      return switch state.worker.ending {
      case .committed: .committed
      case .rolledBack: .rolledBack(failure)
      case .inDoubt, nil: .inDoubt(inDoubt(failure, state.worker))
      }
    }
  }

  /// What is done, what is open, and what finishes it.
  private func inDoubt(_ cause: JobError, _ worker: CommitWorker) -> JobError {
    func names(_ isNamed: [Bool]) -> String? {
      isNamed.contains(true)
        ? zip(intent.members, isNamed).filter(\.1).map(\.0.node).joined(separator: ", ") : nil
    }
    let open = names(worker.isFenced).map { ": no program opens \($0) until it is" } ?? ""
    let done = names(worker.isPublished).map { ". The new state is on \($0)" } ?? ""
    return JobError(
      cause.kind,
      "\(cause.message). The commit is not finished\(open)\(done). To finish it: \(NextStep("recover"))"
    )
  }

  /// Performs actions until the worker has ended, or has come as far as is wanted.
  private func run(until isFarEnough: (CommitWorker) -> Bool) {
    while true {
      let actions = state.withLock { state in
        isFarEnough(state.worker) ? [] : state.worker.actions
      }
      if actions.isEmpty { return }
      if actions == [.recover] {
        recover()
        continue
      }
      let outcomes = runInParallel(actions) { action in
        self.failure(of: action)
      }
      state.withLock { state in
        for (action, outcome) in zip(actions, outcomes) {
          guard case .success(let failure?) = outcome else {
            state.worker.succeeded(action)
            continue
          }
          if state.failure == nil { state.failure = failure.error }
          state.worker.failed(action, isAmbiguous: failure.isAmbiguous)
        }
      }
    }
  }

  // MARK: Actions

  private func failure(of action: CommitWorker.Action) -> CommitLogError? {
    do {
      try perform(action)
      return nil
    } catch let error as CommitLogError {
      return error
    } catch {
      let node = action.member.map { intent.members[$0].node }
      return CommitLogError(JobError(wrapping: error, node: node), isAmbiguous: true)
    }
  }

  private func perform(_ action: CommitWorker.Action) throws {
    switch action {
    case .flush(let index):
      if !images[index].isDurable { try images[index].synchronize() }
    case .writeIntent:
      StopPoint.beforeIntent.reach()
      let claim = try log.writeIntent(intent)
      state.withLock { state in state.claim = claim }
      StopPoint.afterIntent.reach()
    case .write(let sector, let index): try write(sector, index)
    case .synchronize(let index): try files[index].synchronize()
    case .writeRecord:
      StopPoint.beforeRecord.reach()
      guard try log.decide(.record, intent.id) == .record else {
        throw CommitLogError(
          JobError(.conflict, "The commit was given up by another process"), isAmbiguous: false)
      }
      StopPoint.afterRecord.reach()
    case .giveBack(let index): try images[index].undo()
    case .writeUndone:
      try log.settle(
        intent.id, CommitSettlement(.undone, confirmed: Set(files.indices), isDurable: true))
    case .settle:
      StopPoint.beforeSettle.reach()
      try log.settle(
        intent.id,
        CommitSettlement(
          .record, confirmed: Set(files.indices), isDurable: intent.jobs.isEmpty,
          contents: zip(images, intent.members).map { $0.content(at: $1.path) }))
      StopPoint.afterSettle.reach()
    case .recover: break
    }
  }

  /// Writes a first sector. An error after which the old one is there as before means that nothing has happened.
  private func write(_ sector: CommitTables.Sector, _ index: Int) throws {
    let points: (before: StopPoint, after: StopPoint)? =
      switch sector {
      case .fenced: (.beforeFence, .afterFence)
      case .after: (.beforePublish, .afterPublish)
      case .before, .afterFenced: nil
      }
    let sectors = intent.members[index].sectors
    points?.before.reach()
    do {
      try files[index].write(sectors[sector])
    } catch {
      let isUnchanged = (try? files[index].read()) == sectors.before
      throw CommitLogError(
        JobError(error, node: intent.members[index].node), isAmbiguous: !isUnchanged)
    }
    points?.after.reach()
  }

  /// Nobody knows whether the record is there: recovery's steps, under the locks that are held.
  private func recover() {
    let recovery = CommitRecovery(
      intent.id, log: log, files: access, holding: files, isWorker: true)
    let result = try? recovery.run()
    state.withLock { state in
      switch result?.ending {
      case .settled(.record): state.worker.recovered(.committed)
      case .settled: state.worker.recovered(.rolledBack)
      default: state.worker.recovered(.inDoubt)
      }
    }
  }

  /// A copy-on-write filesystem needs room to write 512 bytes over 512 bytes.
  private func checkRoom() throws(JobError) {
    for (file, member) in zip(files, intent.members) {
      do throws(Qcow2Error) {
        try file.checkRoomForRewrite()
      } catch {
        throw JobError(error, node: member.node)
      }
    }
  }
}

extension PreparedImage {
  /// The snapshots that the image has not had before.
  var madeSnapshots: [SnapshotKey] {
    let old = Set(image.snapshots.map(SnapshotKey.init))
    return snapshots.map(SnapshotKey.init).filter { !old.contains($0) }
  }

  /// Which snapshots the image has afterwards.
  fileprivate func content(at path: String) -> ImageContent {
    ImageContent(
      path: path, identity: image.identity, snapshots: Set(snapshots.map(SnapshotKey.init)))
  }
}

extension CommitSectors {
  /// One of the sectors.
  subscript(sector: CommitTables.Sector) -> FirstSector {
    switch sector {
    case .before: before
    case .fenced: fenced
    case .after: after
    case .afterFenced: afterFenced ?? fenced
    }
  }
}
