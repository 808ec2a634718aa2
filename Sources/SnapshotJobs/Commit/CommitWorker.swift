/// The worker's side of one commit: which steps may be taken now, as a value.
///
/// ``ImageCommitter`` performs the actions and reports how each ended. It holds the locks of all images from
/// before the first action to behind the last.
struct CommitWorker: Sendable, Hashable {
  /// One thing to be done. Members are named by their number in the commit.
  enum Action: Sendable, Hashable {
    /// Make durable what prepare has written to an image.
    case flush(Int)
    /// Enter the commit with all its sectors into the catalog, durably.
    case writeIntent
    /// Write a first sector.
    case write(CommitTables.Sector, Int)
    /// Make an image durable.
    case synchronize(Int)
    /// Enter into the catalog that the commit happens, durably.
    case writeRecord
    /// Give back the clusters that prepare has written.
    case giveBack(Int)
    /// Enter into the catalog that the commit does not happen and nothing is left to do, durably.
    case writeUndone
    /// Do what recovery does with the commit, under the locks that are held.
    case recover
    /// Enter into the catalog that nothing is left to do.
    case settle
  }

  /// How a commit ends for its worker.
  enum Ending: Sendable, Hashable {
    /// All images have their new state.
    case committed
    /// All images are as before.
    case rolledBack
    /// Recovery brings it to its end.
    case inDoubt
  }

  private enum Phase: Sendable, Hashable {
    case forward(Int)
    case undoing
    case fencing
    case recovering
    case ended(Ending)
  }

  private enum Progress: Sendable, Hashable {
    case todo, given, written, done, failed
  }

  private let tables: CommitTables
  private let steps: [CommitTables.Step]
  private var phase: Phase
  private var progress: [Progress]
  /// Which images may have a fence.
  private var isTouched: [Bool]
  private var hasIntent = false
  /// Whether an image may have a fence now.
  var isFenced: [Bool] { zip(isTouched, isPublished).map { $0 && !$1 } }

  /// Which images have their new state durably.
  private(set) var isPublished: [Bool]

  /// A commit over some images.
  ///
  /// - Parameters:
  ///   - memberCount: the number of images, at least 1.
  ///   - waits: whether somebody will have to finalize it.
  ///   - tables: the protocol.
  init(memberCount: Int, waits: Bool = false, tables: CommitTables = CommitTables()) {
    self.tables = tables
    steps = memberCount == 1 ? tables.alone : waits ? tables.severalWaiting : tables.several
    phase = .forward(0)
    progress = Array(repeating: .todo, count: memberCount)
    isTouched = Array(repeating: false, count: memberCount)
    isPublished = isTouched
  }

  /// How it ended; nil while there is something to do.
  var ending: Ending? { if case .ended(let ending) = phase { ending } else { nil } }

  /// Whether the intent stands in the catalog and the step behind it has not begun.
  var isAnnounced: Bool {
    guard case .forward(let index) = phase, index > 0, steps[index - 1] == .intent else {
      return false
    }
    return progress.allSatisfy { $0 == .todo }
  }

  private var isAlone: Bool { progress.count == 1 }

  /// What may be done now, in any order or side by side; empty once it has ended.
  var actions: [Action] {
    switch phase {
    case .ended: []
    case .recovering: [.recover]
    case .fencing: progress[0] == .todo ? [.write(.afterFenced, 0)] : [.synchronize(0)]
    case .undoing:
      undoActions
    case .forward(let index):
      switch steps[index] {
      case .flush: members(.todo).map { .flush($0) }
      case .intent: [.writeIntent]
      case .record: [.writeRecord]
      case .settle: [.settle]
      case .put(let sector, _):
        members(.todo).map { .write(sector, $0) } + members(.written).map { .synchronize($0) }
      }
    }
  }

  private var undoActions: [Action] {
    let rest: [Action] = progress.indices.compactMap { index in
      switch progress[index] {
      case .todo: .giveBack(index)
      case .given: .write(.before, index)
      case .written: .synchronize(index)
      case .done, .failed: nil
      }
    }
    return rest.isEmpty ? [.writeUndone] : rest
  }

  private func members(_ wanted: Progress) -> [Int] {
    progress.indices.filter { progress[$0] == wanted }
  }

  /// An action has been done.
  ///
  /// Of actions that were begun side by side each is reported, also where another one has failed, before more
  /// are asked for.
  mutating func succeeded(_ action: Action) {
    switch phase {
    case .ended, .recovering: break
    case .undoing: undid(action)
    case .fencing:
      if case .synchronize = action {
        phase = .ended(.inDoubt)
      } else {
        progress[0] = .written
        isTouched[0] = true
      }
    case .forward(let index):
      switch action {
      case .write(let sector, let member):
        if sector == .fenced { isTouched[member] = true }
        if case .put(_, synchronizes: false) = steps[index] {
          progress[member] = .done
        } else {
          progress[member] = .written
        }
        advanceIfDone()
      case .synchronize(let member), .flush(let member):
        if case .put(.after, _) = steps[index] { isPublished[member] = true }
        progress[member] = .done
        advanceIfDone()
      case .writeIntent:
        hasIntent = true
        advance()
      case .writeRecord, .settle: advance()
      case .giveBack, .writeUndone, .recover: break
      }
    }
  }

  private mutating func undid(_ action: Action) {
    switch action {
    case .giveBack(let member) where progress[member] == .todo:
      progress[member] = isTouched[member] ? .given : .done
      endUndoIfOver()
    case .write(.before, let member) where progress[member] == .given: progress[member] = .written
    case .synchronize(let member) where progress[member] == .written:
      progress[member] = .done
      isTouched[member] = false
      endUndoIfOver()
    case .writeUndone: phase = .ended(.rolledBack)
    // The late end of what was begun before.
    case .write(.fenced, let member): isTouched[member] = true
    default: break
    }
  }

  /// An action has failed.
  ///
  /// - Parameters:
  ///   - action: the action.
  ///   - isAmbiguous: whether it may have come about all the same, wholly or in part.
  mutating func failed(_ action: Action, isAmbiguous: Bool) {
    switch phase {
    case .ended: return
    case .recovering, .fencing: phase = .ended(.inDoubt)
    case .undoing: undoFailed(action, isAmbiguous: isAmbiguous)
    case .forward(let index):
      let step = steps[index]
      if case .write(.fenced, let member) = action, isAmbiguous { isTouched[member] = true }
      if step == .intent, isAmbiguous { hasIntent = true }
      switch tables.failure(of: step, isAlone: isAlone, isAmbiguous: isAmbiguous) {
      case .undo: beginUndo()
      case .recover: phase = .recovering
      case .fence:
        progress = [.todo]
        phase = .fencing
      case .ignore: advance()
      case .leave:
        if let member = action.member { progress[member] = .failed }
        if action.member == nil {
          phase = .ended(.inDoubt)
        } else {
          advanceIfDone()
        }
      }
    }
  }

  /// Recovery has found out what became of the commit.
  mutating func recovered(_ ending: Ending) { phase = .ended(ending) }

  /// Takes everything back, where the commit point has not been reached; does nothing else.
  mutating func cancel() {
    guard case .forward(let index) = phase else { return }
    let isBegun = steps[index].isCommitPoint && !progress.allSatisfy { $0 == .todo }
    if !isBegun, !steps[..<index].contains(where: \.isCommitPoint) { beginUndo() }
  }

  private mutating func beginUndo() {
    phase = .undoing
    progress = progress.map { _ in .todo }
  }

  private mutating func undoFailed(_ action: Action, isAmbiguous: Bool) {
    switch action {
    case .giveBack(let member) where progress[member] == .todo:
      // The clusters are free in the image either way.
      progress[member] = isTouched[member] ? .given : .done
      endUndoIfOver()
    case .write(.before, let member) where progress[member] == .given,
      .synchronize(let member) where progress[member] == .written:
      progress[member] = .failed
      endUndoIfOver()
    // No image has anything left of the commit, and nobody will write a record.
    case .writeUndone: phase = .ended(.rolledBack)
    // The late end of what was begun before.
    case .write(.fenced, let member): if isAmbiguous { isTouched[member] = true }
    default: break
    }
  }

  private mutating func endUndoIfOver() {
    guard progress.allSatisfy({ $0 == .done || $0 == .failed }) else { return }
    if progress.contains(.failed) {
      phase = .ended(.inDoubt)
    } else if !hasIntent {
      phase = .ended(.rolledBack)
    }
  }

  private mutating func advanceIfDone() {
    guard progress.allSatisfy({ $0 == .done || $0 == .failed }) else { return }
    if progress.contains(.failed) {
      phase = .ended(.inDoubt)
    } else {
      advance()
    }
  }

  private mutating func advance() {
    guard case .forward(let index) = phase else { return }
    progress = progress.map { _ in .todo }
    phase = index + 1 < steps.count ? .forward(index + 1) : .ended(.committed)
  }
}

extension CommitWorker.Action {
  /// The member that it is about; nil for the catalog's.
  var member: Int? {
    switch self {
    case .flush(let index), .write(_, let index), .synchronize(let index), .giveBack(let index):
      index
    case .writeIntent, .writeRecord, .writeUndone, .recover, .settle: nil
    }
  }
}

extension CommitTables.Step {
  /// Whether the commit may have happened once this was begun.
  fileprivate var isCommitPoint: Bool {
    switch self {
    case .record, .put(.after, _): true
    case .flush, .intent, .put, .settle: false
    }
  }
}
