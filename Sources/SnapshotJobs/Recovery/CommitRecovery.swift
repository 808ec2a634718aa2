internal import Jobs
internal import Qcow2

/// Recovery of one commit: performs what ``RecoveryWorker`` says.
struct CommitRecovery {
  /// How it ended.
  struct Result: Sendable {
    /// How.
    let ending: RecoveryWorker.Ending
    /// What was done about each image; empty where no image was looked at.
    let outcomes: [RecoveryWorker.Outcome]
    /// The first thing that went wrong.
    let failure: JobError?

    /// Whether images are as was decided of which that was not known before.
    func confirms(beyond known: [Bool]) -> Bool {
      zip(outcomes, known).contains { $0 == .confirmed && !$1 }
    }
  }

  private let id: CommitID
  private let log: any CommitLog
  private let files: any FileAccess
  private let held: [SectorFile]?
  private let isWorker: Bool
  private let waitsForNobody: Bool
  private let tables: CommitTables

  /// A recovery; nothing is looked at yet.
  ///
  /// - Parameters:
  ///   - id: the commit.
  ///   - log: where it is noted.
  ///   - files: where image files come from.
  ///   - held: the images, where their locks are held already.
  ///   - isWorker: whether this is the process that made the commit, which has its lock.
  ///   - waitsForNobody: whether images that are away keep it from being settled.
  ///   - tables: the protocol.
  init(
    _ id: CommitID, log: any CommitLog, files: any FileAccess, holding held: [SectorFile]? = nil,
    isWorker: Bool = false, waitsForNobody: Bool = false, tables: CommitTables = CommitTables()
  ) {
    self.id = id
    self.log = log
    self.files = files
    self.held = held
    self.isWorker = isWorker
    self.waitsForNobody = waitsForNobody
    self.tables = tables
  }

  /// Brings the commit to its end, as far as that can be done now. Blocks.
  ///
  /// - Throws: `JobError` if there is no such commit, or the catalog cannot be read.
  func run() throws(JobError) -> Result {
    guard let row = try log.commit(id) else {
      throw JobError(.notFound, "The catalog has no commit \(id)")
    }
    let members = row.intent.members
    var worker = RecoveryWorker(
      memberCount: members.count, waitsForNobody: waitsForNobody, tables: tables)
    var pass = Pass(row: row, recovery: self)
    defer { pass.unlock() }
    while let action = worker.actions.first {
      do throws(JobError) {
        try pass.perform(action, &worker)
      } catch {
        if pass.failure == nil { pass.failure = error }
        worker.failed(action)
      }
    }
    let ending = worker.ending ?? .failed
    if case .waits = ending { try pass.noteConfirmed(worker) }
    if ending == .failed { try? pass.noteConfirmed(worker) }
    return Result(ending: ending, outcomes: worker.outcomes, failure: pass.failure)
  }
}

extension CommitRecovery {
  /// What ``run()`` would find and do; nothing is written.
  ///
  /// - Returns: nil while a living process is at the commit.
  func forecast() throws(JobError) -> Result? {
    guard let row = try log.commit(id), let claim = try log.claim(id) else { return nil }
    defer { withExtendedLifetime(claim) {} }
    let members = row.intent.members
    let places = members.map { MemberPlace($0.path, files) }
    defer { places.forEach { $0.unlock() } }
    let states = places.indices.map { places[$0].state(in: row.intent, $0) }
    var worker = RecoveryWorker(memberCount: members.count, tables: tables)
    while let action = worker.actions.first {
      switch action {
      case .lockWorker: worker.workerLock(isFree: true)
      case .lock(let index): worker.tried(lockOf: index)
      case .read:
        worker.read(
          row.decision, isSettled: row.isSettled,
          isConfirmed: row.isConfirmed)
      case .peek(let index): worker.peeked(index, states[index])
      case .look(let index): worker.found(states[index], at: index)
      default: worker.succeeded(action)
      }
    }
    return Result(ending: worker.ending ?? .failed, outcomes: worker.outcomes, failure: nil)
  }

  /// What is open while recovery is at work.
  fileprivate struct Pass {
    let row: CommitRow
    let recovery: CommitRecovery
    var claim: CommitClaim?
    var places: [MemberPlace?]
    /// The images from which the fence was taken for their new state.
    var unfenced: Set<Int> = []
    var failure: JobError?

    private var log: any CommitLog { recovery.log }
    private var intent: CommitIntent { row.intent }

    init(row: CommitRow, recovery: CommitRecovery) {
      self.row = row
      self.recovery = recovery
      places = recovery.held.map { $0.map { .locked($0) } } ?? row.intent.members.map { _ in nil }
    }

    func unlock() {
      guard recovery.held == nil else { return }
      for place in places { place?.unlock() }
    }

    mutating func perform(
      _ action: RecoveryWorker.Action, _ worker: inout RecoveryWorker
    ) throws(JobError) {
      switch action {
      case .lockWorker:
        if !recovery.isWorker { claim = try log.claim(intent.id) }
        worker.workerLock(isFree: recovery.isWorker || claim != nil)
      case .lock(let index):
        places[index] =
          places[index] ?? MemberPlace(intent.members[index].path, recovery.files)
        worker.tried(lockOf: index)
      case .read: try read(&worker)
      case .peek(let index): worker.peeked(index, places[index]?.state(in: intent, index))
      case .writeRecord: try decide(.record, action, &worker)
      case .writeUndone: try decide(.undone, action, &worker)
      case .secure:
        try secure()
        worker.succeeded(action)
      case .look(let index):
        worker.found(
          places[index]?.state(in: intent, index) ?? .away(JobError(.general, "not looked at")),
          at: index)
      case .write(let sector, let index, let source):
        try write(intent.members[source].sectors[sector], index)
        unfenced.remove(index)
        if sector == .after, source == index { unfenced.insert(index) }
        worker.succeeded(action)
      case .rewrite(let index):
        guard let file = places[index]?.file,
          let sector = try Self.converting({ () throws(Qcow2Error) in try file.read() })
        else { throw JobError(.general, "\(intent.members[index].path): it cannot be read") }
        try write(sector, index)
        worker.succeeded(action)
      case .synchronize(let index):
        let file = places[index]?.file
        try Self.converting { () throws(Qcow2Error) in try file?.synchronize() }
        noteStagedState(of: index)
        worker.succeeded(action)
      case .settle(let decision):
        try log.settle(intent.id, settlement(decision, worker))
        worker.succeeded(action)
      }
    }

    private func read(_ worker: inout RecoveryWorker) throws(JobError) {
      guard let row = try log.commit(intent.id) else {
        throw JobError(.notFound, "The catalog has no commit \(intent.id) any more")
      }
      worker.read(
        row.decision, isSettled: row.isSettled,
        isConfirmed: row.isConfirmed)
    }

    private func decide(
      _ decision: CommitDecision, _ action: RecoveryWorker.Action, _ worker: inout RecoveryWorker
    ) throws(JobError) {
      let stands: CommitDecision
      do {
        stands = try log.decide(decision, intent.id)
      } catch {
        throw error.error
      }
      worker.succeeded(action)
      if stands != decision { worker.overtaken(by: stands) }
    }

    private func secure() throws(JobError) {
      switch recovery.tables.decisionDurability {
      case .trusted: break
      case .fullCommit: try log.confirm([], of: intent.id)
      case .checkpoint: try log.makeDecisionsDurable()
      }
    }

    private func write(_ sector: FirstSector, _ index: Int) throws(JobError) {
      guard let file = places[index]?.file else {
        throw JobError(.general, "\(intent.members[index].path): it is not open")
      }
      try Self.converting { () throws(Qcow2Error) in try file.write(sector) }
    }

    private func settlement(
      _ decision: CommitDecision, _ worker: RecoveryWorker
    ) -> CommitSettlement {
      CommitSettlement(
        decision, confirmed: Self.confirmed(worker),
        note: CommitReport(row, worker.outcomes).jobFailure(decision)?.message, isDurable: true)
    }

    /// Notes what was finished of a commit that stays open. An image alone says itself what became of the commit,
    /// so that it is judged until that is entered.
    func noteConfirmed(_ worker: RecoveryWorker) throws(JobError) {
      guard intent.members.count > 1 else { return }
      let confirmed = Self.confirmed(worker)
      if !confirmed.isEmpty { try log.confirm(confirmed, of: intent.id) }
    }

    /// A member of one image alone to which others have done more since is not judged again either.
    private static func confirmed(_ worker: RecoveryWorker) -> Set<Int> {
      let isUnknown = worker.decision == .unknown
      return Set(worker.outcomes.indices.filter { worker.outcomes[$0] == .confirmed || isUnknown })
    }

    /// Notes what a file looks like for a state that waits. Only the fence has kept others from writing to it since
    /// the commit; of an image that was found published nobody can tell. The worker itself notes it as it ends.
    private func noteStagedState(of index: Int) {
      guard unfenced.contains(index), !recovery.isWorker,
        let stamp = try? places[index]?.file?.stamp()
      else { return }
      StagedStates.note(
        [
          StagedStateStamp(
            commit: intent.id, path: intent.members[index].path, old: nil, new: stamp)
        ], in: log)
    }

    private static func converting<Value>(
      _ body: () throws(Qcow2Error) -> Value
    ) throws(JobError) -> Value {
      do throws(Qcow2Error) { return try body() } catch { throw JobError(error) }
    }
  }
}
