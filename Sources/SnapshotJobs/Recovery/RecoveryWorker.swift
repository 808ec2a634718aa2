internal import Jobs

/// What recovery does with one commit that is not settled, or whose fence has turned up: which actions may be
/// taken now, as a value.
///
/// ``CommitRecovery`` performs them. Any number of recoveries may be at work on a commit, each of which may end
/// at any action.
struct RecoveryWorker: Sendable, Hashable {
  /// One thing to be done.
  enum Action: Sendable, Hashable {
    /// Take the worker's lock of this commit, beside other recoveries.
    case lockWorker
    /// Take the write lock of an image, if it can be had.
    case lock(Int)
    /// Read the decision.
    case read
    /// Look at an image's first sector without its lock.
    case peek(Int)
    /// Enter into the catalog that the commit happens, unless something else stands there; durably.
    case writeRecord
    /// Enter into the catalog that it does not, unless something else stands there; durably.
    case writeUndone
    /// Make durable the decision that stands in the catalog, in the way that the tables name.
    case secure
    /// Find out what an image is now.
    case look(Int)
    /// Write a sector of the member `of`.
    case write(CommitTables.Sector, Int, of: Int)
    /// Write the first sector that the image has.
    case rewrite(Int)
    /// Make an image durable.
    case synchronize(Int)
    /// Enter into the catalog that nothing is left to do, with the members that are confirmed.
    case settle(CommitDecision)
  }

  /// What was done about one image.
  enum Outcome: Sendable, Hashable {
    /// Not looked at yet.
    case open
    /// It is as was decided, durably.
    case confirmed
    /// It is as was decided as far as can be seen; somebody holds it.
    case passed(MemberState)
    /// It was left alone.
    case told(MemberState)
    /// It keeps the commit open.
    case waits(MemberState)
    /// It could not be written or made durable.
    case failed
  }

  /// How it ended.
  enum Ending: Sendable, Hashable {
    /// Settled.
    case settled(CommitDecision)
    /// Images keep it open.
    case waits(CommitDecision)
    /// A living process is at it.
    case busy
    /// Nothing is left to do.
    case settledByOthers
    /// An action failed.
    case failed
  }

  private enum Phase: Sendable, Hashable {
    case step(Int)
    case ended(Ending)
  }

  private enum Progress: Sendable, Hashable {
    case todo
    case writing(CommitTables.Sector, of: Int, synchronizes: Bool)
    /// `fence`: what the image gets where its fsync fails and nobody else has changed it.
    case rewriting(fence: CommitTables.Sector?)
    case synchronizing(fence: CommitTables.Sector?)
    case fencing(CommitTables.Sector)
    case fenceWritten
    case done
  }

  private let tables: CommitTables
  private let isAlone: Bool
  private let waitsForNobody: Bool
  private var phase = Phase.step(0)
  private var progress: [Progress]
  private(set) var decision: CommitDecision?
  private(set) var outcomes: [Outcome]
  /// Members that were confirmed earlier are not judged again. What can be written is written all the same: files
  /// may have changed their names since.
  private var isConfirmed: [Bool]
  private var hasWorkerLock = false
  private var peeked: [Bool]
  private var provesRecord = false

  /// A recovery of one commit.
  ///
  /// - Parameters:
  ///   - memberCount: the number of its images.
  ///   - waitsForNobody: whether it is settled whatever keeps images away (`--abandon`).
  ///   - tables: the protocol.
  init(memberCount: Int, waitsForNobody: Bool = false, tables: CommitTables = CommitTables()) {
    self.tables = tables
    self.waitsForNobody = waitsForNobody
    isAlone = memberCount == 1
    progress = Array(repeating: .todo, count: memberCount)
    outcomes = Array(repeating: .open, count: memberCount)
    isConfirmed = Array(repeating: false, count: memberCount)
    peeked = Array(repeating: false, count: memberCount)
  }

  /// How it ended; nil while there is something to do.
  var ending: Ending? { if case .ended(let ending) = phase { ending } else { nil } }

  // MARK: What to do

  /// What may be done now, in any order or side by side; empty once it has ended.
  var actions: [Action] {
    guard case .step(let index) = phase else { return [] }
    switch tables.recovery[index] {
    case .lock:
      return hasWorkerLock ? members(.todo).map { .lock($0) } : [.lockWorker]
    case .read: return [.read]
    case .decide: return decisionActions
    case .members:
      return progress.indices.compactMap { index in
        switch progress[index] {
        case .todo: .look(index)
        case .writing(let sector, let source, _): .write(sector, index, of: source)
        case .rewriting: .rewrite(index)
        case .fencing(let sector): .write(sector, index, of: index)
        case .fenceWritten, .synchronizing: .synchronize(index)
        case .done: nil
        }
      }
    case .settle: return [.settle(decision ?? .unknown)]
    }
  }

  private var decisionActions: [Action] {
    // The row itself may be gone after a power loss, where its fsync has not returned; a fence that one image alone
    // may get below would have no row then.
    if isAlone { return [.secure] }
    switch decision {
    // Also "undone", whoever entered it: what was written over the frames of a record whose fsync had failed may be
    // missing on the disk. Then those frames come back, and nothing behind them is read.
    case .record, .undone: return [.secure]
    case .unknown: return []
    case nil:
      let rest = peeked.indices.filter { !peeked[$0] && !provesRecord }
      if tables.publishedProvesRecord, !rest.isEmpty { return rest.map { .peek($0) } }
      return provesRecord ? [.writeRecord] : [.writeUndone]
    }
  }

  private func members(_ wanted: Progress) -> [Int] {
    progress.indices.filter { progress[$0] == wanted }
  }

  // MARK: What has happened

  /// Whether the worker's lock could be had; false: it lives and is at this commit.
  mutating func workerLock(isFree: Bool) {
    hasWorkerLock = true
    if !isFree { phase = .ended(.busy) }
  }

  /// An image was locked, or could not be.
  mutating func tried(lockOf index: Int) {
    progress[index] = .done
    if members(.done).count == progress.count { advance() }
  }

  /// The row was read.
  ///
  /// - Parameters:
  ///   - decision: what stands there; nil for an intent alone.
  ///   - isSettled: whether nothing is left to do.
  ///   - isConfirmed: for each member whether it is not to be judged again.
  mutating func read(_ decision: CommitDecision?, isSettled: Bool, isConfirmed: [Bool]) {
    self.decision = decision
    self.isConfirmed = isConfirmed
    for index in isConfirmed.indices where isConfirmed[index] { outcomes[index] = .confirmed }
    if isSettled, isConfirmed.allSatisfy(\.self) {
      phase = .ended(.settledByOthers)
    } else {
      advance()
    }
  }

  /// What a peek has found; nil for nothing that can be read.
  mutating func peeked(_ index: Int, _ state: MemberState?) {
    peeked[index] = true
    if case .published? = state { provesRecord = true }
    if !provesRecord, !tables.writesUndoneFirst, peeked.allSatisfy(\.self) {
      decision = .undone
      advance()
    }
  }

  /// A look at an image has found this.
  mutating func found(_ state: MemberState, at index: Int) {
    let treatment = isAlone ? treatmentAlone(of: state) : treatment(of: state)
    switch treatment {
    case .put(let sector, let synchronizes):
      var source = index
      if tables.knowsFencesByBytes, case .fenced(let member, _, _) = state { source = member }
      progress[index] = .writing(sector, of: source, synchronizes: synchronizes)
    case .rewrite: progress[index] = .rewriting(fence: fence(for: state))
    case .synchronize: progress[index] = .synchronizing(fence: nil)
    case .confirm: end(index, .confirmed)
    case .pass: end(index, isConfirmed[index] ? .confirmed : .passed(state))
    case .tell: end(index, isConfirmed[index] ? .confirmed : .told(state))
    case .wait:
      let isDone = isConfirmed[index] && state.kind != .heldFenced
      end(index, isDone ? .confirmed : .waits(state))
    }
  }

  /// An action on an image, or a lasting one on the catalog, has been done.
  mutating func succeeded(_ action: Action) {
    switch action {
    case .writeRecord: decided(.record)
    case .writeUndone: decided(.undone)
    case .secure: advance()
    case .write(_, let index, _):
      switch progress[index] {
      case .writing(_, _, synchronizes: false): end(index, .confirmed)
      case .writing(let sector, _, _):
        progress[index] = .synchronizing(fence: isAlone ? sector.fenced : nil)
      default: progress[index] = .fenceWritten
      }
    case .rewrite(let index):
      guard case .rewriting(let fence) = progress[index] else { return }
      progress[index] = .synchronizing(fence: fence)
    case .synchronize(let index):
      end(index, progress[index] == .fenceWritten ? .failed : .confirmed)
    case .settle(let decision): phase = .ended(.settled(decision))
    case .lockWorker, .lock, .read, .peek, .look: break
    }
  }

  private mutating func decided(_ decision: CommitDecision) {
    self.decision = decision
    if tables.decisionDurability == .trusted || !tables.securesOwnDecision { advance() }
  }

  /// An action has failed.
  mutating func failed(_ action: Action) {
    switch action {
    case .write(_, let index, _), .rewrite(let index): end(index, .failed)
    case .synchronize(let index):
      if case .synchronizing(let fence?) = progress[index], tables.afterAloneFailed == .fence {
        progress[index] = .fencing(fence)
      } else {
        end(index, .failed)
      }
    default: phase = .ended(.failed)
    }
  }

  /// Another recovery, or the worker, has entered something else meanwhile.
  mutating func overtaken(by decision: CommitDecision) { self.decision = decision }

  // MARK: Several images

  private func treatment(of state: MemberState) -> CommitTables.Treatment {
    let table = decision == .record ? tables.redo : tables.undo
    let treatment = table[state.kind] ?? .wait
    // `undo` finds a published image only where it was away when that was decided.
    return treatment == .wait && waitsForNobody ? .tell : treatment
  }

  // MARK: One image alone

  /// The image itself says what became of the commit.
  private mutating func treatmentAlone(of state: MemberState) -> CommitTables.Treatment {
    switch state {
    case .fenced(_, let sector, let isHeld):
      if isHeld { return waitsForNobody ? .tell : .wait }
      decision = sector == .afterFenced ? .record : .undone
      return .put(sector == .afterFenced ? .after : .before)
    case .published(_, let isHeld):
      decision = .record
      return isHeld ? .pass : .rewrite
    case .plain(isBefore: true, let isHeld):
      decision = .undone
      return isHeld ? .pass : .rewrite
    case .away: return waitsForNobody ? .tell : .wait
    // Another recovery of this commit may still fence the image when that one is gone.
    case .foreignFence where !waitsForNobody: return .wait
    case .plain, .foreignFence, .other:
      decision = .unknown
      return .tell
    }
  }

  /// The fence for an image that shall be rewritten as it is.
  private func fence(for state: MemberState) -> CommitTables.Sector? {
    switch state {
    case .published(isAfter: true, _) where isAlone: .afterFenced
    case .plain(isBefore: true, _) where isAlone: .fenced
    default: nil
    }
  }

  // MARK: Order

  private mutating func end(_ index: Int, _ outcome: Outcome) {
    progress[index] = .done
    outcomes[index] = outcome
    guard members(.done).count == progress.count else { return }
    let isOpen = outcomes.contains { outcome in
      switch outcome {
      case .waits, .failed: true
      case .open, .confirmed, .passed, .told: false
      }
    }
    if outcomes.contains(.failed) {
      phase = .ended(.failed)
    } else if isOpen {
      phase = .ended(.waits(decision ?? .unknown))
    } else {
      advance()
    }
  }

  private mutating func advance() {
    guard case .step(let index) = phase else { return }
    var next = index + 1
    while next < tables.recovery.count, isSkipped(tables.recovery[next]) { next += 1 }
    guard next < tables.recovery.count else {
      phase = .ended(.settled(decision ?? .unknown))
      return
    }
    phase = .step(next)
    for index in progress.indices { progress[index] = .todo }
  }

  /// Whether a step has nothing to do.
  private func isSkipped(_ step: CommitTables.RecoveryStep) -> Bool {
    guard step == .decide else { return false }
    if isAlone { return tables.decisionDurability == .trusted }
    switch decision {
    case nil: return !tables.writesUndoneFirst && !tables.publishedProvesRecord
    case .record, .undone: return tables.decisionDurability == .trusted
    case .unknown: return true
    }
  }
}

extension CommitTables.Sector {
  /// The fence over a sector.
  fileprivate var fenced: CommitTables.Sector {
    switch self {
    case .before, .fenced: .fenced
    case .after, .afterFenced: .afterFenced
    }
  }
}
