import Jobs
import Qcow2
import Testing

@testable import SnapshotJobs

@Suite("Recovery's way through a commit")
struct RecoveryWorkerTests {
  private static let away = MemberState.away(JobError(.inUse, "away"))
  private static let foreign = MemberState.foreignFence(
    FenceMark(commit: CommitID(), catalog: CatalogID(), member: 0, memberCount: 2), isHeld: false)

  private func fenced(_ member: Int, isHeld: Bool = false) -> MemberState {
    .fenced(of: member, sector: .fenced, isHeld: isHeld)
  }

  /// A recovery behind its locks, that has read a row.
  private func worker(
    _ decision: CommitDecision?, count: Int = 2, isSettled: Bool = false,
    isConfirmed: [Bool]? = nil, waitsForNobody: Bool = false
  ) -> RecoveryWorker {
    var worker = RecoveryWorker(memberCount: count, waitsForNobody: waitsForNobody)
    worker.workerLock(isFree: true)
    for index in 0..<count { worker.tried(lockOf: index) }
    worker.read(
      decision, isSettled: isSettled,
      isConfirmed: isConfirmed ?? Array(repeating: false, count: count))
    return worker
  }

  /// What it does where the images are like this and nothing fails.
  private func actions(
    _ worker: inout RecoveryWorker, _ states: [MemberState],
    failing: RecoveryWorker.Action? = nil
  ) -> [RecoveryWorker.Action] {
    var taken: [RecoveryWorker.Action] = []
    while let action = worker.actions.first {
      if action == failing {
        taken.append(action)
        worker.failed(action)
        continue
      }
      switch action {
      case .peek(let index): worker.peeked(index, states[index])
      case .look(let index): worker.found(states[index], at: index)
      default:
        taken.append(action)
        worker.succeeded(action)
      }
    }
    return taken
  }

  // MARK: Order

  @Test("the worker's lock comes first, then the images', then the catalog")
  func lockFirst() {
    var worker = RecoveryWorker(memberCount: 2)
    #expect(worker.actions == [.lockWorker])
    worker.workerLock(isFree: true)
    #expect(worker.actions == [.lock(0), .lock(1)])
    worker.tried(lockOf: 1)
    worker.tried(lockOf: 0)
    #expect(worker.actions == [.read])
  }

  @Test("a living worker is left alone")
  func busy() {
    var worker = RecoveryWorker(memberCount: 2)
    worker.workerLock(isFree: false)
    #expect(worker.ending == .busy)
    #expect(worker.actions.isEmpty)
  }

  @Test("a row with nothing left to do ends it")
  func settledByOthers() {
    let worker = worker(.record, isSettled: true, isConfirmed: [true, true])
    #expect(worker.ending == .settledByOthers)
  }

  // MARK: Decisions

  @Test("without a record, undone is entered before the first image is written")
  func undoneFirst() {
    var worker = worker(nil)
    #expect(
      actions(&worker, [fenced(0), fenced(1)]) == [
        .writeUndone, .secure, .write(.before, 0, of: 0), .synchronize(0),
        .write(.before, 1, of: 1), .synchronize(1), .settle(.undone),
      ])
    #expect(worker.ending == .settled(.undone))
  }

  @Test("a published image proves the record", arguments: [true, false])
  func publishedProves(_ isHeld: Bool) {
    var worker = worker(nil)
    let taken = actions(&worker, [fenced(0), .published(isAfter: true, isHeld: isHeld)])
    #expect(taken.prefix(2) == [.writeRecord, .secure])
    #expect(worker.ending == .settled(.record))
  }

  @Test(
    "a decision that is read is made durable first",
    arguments: [CommitDecision.record, .undone])
  func secure(_ decision: CommitDecision) {
    let worker = worker(decision)
    #expect(worker.actions == [.secure])
    var failed = worker
    failed.failed(.secure)
    #expect(failed.ending == .failed)
  }

  @Test("a decision that cannot be entered ends it before an image is written")
  func undoneFails() {
    var worker = worker(nil)
    let taken = actions(&worker, [fenced(0), fenced(1)], failing: .writeUndone)
    #expect(taken == [.writeUndone])
    #expect(worker.ending == .failed)
  }

  @Test("what somebody else has entered meanwhile is what happens")
  func overtaken() {
    var worker = worker(nil)
    for index in 0...1 { worker.peeked(index, fenced(index)) }
    worker.succeeded(.writeUndone)
    worker.overtaken(by: .record)
    #expect(worker.actions == [.secure])
    #expect(actions(&worker, [fenced(0), fenced(1)]).contains(.write(.after, 0, of: 0)))
  }

  // MARK: Images

  /// What a state leads to, of the first of two images.
  struct Row: Sendable, CustomStringConvertible {
    let decision: CommitDecision
    let state: MemberState
    let actions: [RecoveryWorker.Action]
    let ending: RecoveryWorker.Ending

    var description: String { "\(decision), \(state.kind)" }

    init(
      _ decision: CommitDecision, _ state: MemberState,
      _ actions: [RecoveryWorker.Action], waits: Bool = false
    ) {
      self.decision = decision
      self.state = state
      self.actions = actions
      ending = waits ? .waits(decision) : .settled(decision)
    }
  }

  private static let rows: [Row] = [
    Row(
      .record, .fenced(of: 0, sector: .fenced, isHeld: false),
      [.write(.after, 0, of: 0), .synchronize(0)]),
    Row(
      .record, .fenced(of: 1, sector: .fenced, isHeld: false),
      [.write(.after, 0, of: 1), .synchronize(0)]),
    Row(.record, .published(isAfter: true, isHeld: false), [.rewrite(0), .synchronize(0)]),
    Row(.record, .plain(isBefore: true, isHeld: false), []),
    Row(.record, foreign, [], waits: true),
    Row(.record, away, [], waits: true),
    Row(.record, .other("empty"), []),
    Row(.record, .fenced(of: 0, sector: .fenced, isHeld: true), [], waits: true),
    Row(.record, .published(isAfter: true, isHeld: true), []),
    Row(.record, .plain(isBefore: true, isHeld: true), []),
    Row(
      .undone, .fenced(of: 0, sector: .fenced, isHeld: false),
      [.write(.before, 0, of: 0), .synchronize(0)]),
    Row(.undone, .published(isAfter: true, isHeld: false), []),
    Row(.undone, .plain(isBefore: true, isHeld: false), [.rewrite(0), .synchronize(0)]),
    Row(.undone, foreign, []),
    Row(.undone, away, [], waits: true),
    Row(.undone, .other("empty"), []),
    Row(.undone, .fenced(of: 0, sector: .fenced, isHeld: true), [], waits: true),
    Row(.undone, .plain(isBefore: true, isHeld: true), []),
  ]

  @Test("each state of an image is treated as the decision has it", arguments: rows)
  func treatment(_ row: Row) {
    var worker = worker(row.decision)
    let taken = actions(&worker, [row.state, fenced(1)]).filter { action in
      switch action {
      case .write(_, 0, _), .rewrite(0), .synchronize(0): true
      default: false
      }
    }
    #expect(taken == row.actions)
    #expect(worker.ending == row.ending)
  }

  @Test("an image that is away does not keep the others from being finished")
  func awayWaits() {
    var worker = worker(.record)
    let taken = actions(&worker, [Self.away, fenced(1)])
    #expect(taken == [.secure, .write(.after, 1, of: 1), .synchronize(1)])
    #expect(worker.ending == .waits(.record))
    #expect(worker.outcomes == [.waits(Self.away), .confirmed])
  }

  @Test("whoever waits for nobody settles without what is away")
  func abandon() {
    var worker = worker(.record, waitsForNobody: true)
    #expect(actions(&worker, [Self.away, fenced(1)]).last == .settle(.record))
    #expect(worker.outcomes == [.told(Self.away), .confirmed])
  }

  @Test("an image that was confirmed before is not judged again")
  func confirmedBefore() {
    var worker = worker(.record, isConfirmed: [true, false])
    #expect(
      actions(&worker, [Self.away, fenced(1)])
        == [.secure, .write(.after, 1, of: 1), .synchronize(1), .settle(.record)])
  }

  @Test("an image that was confirmed before is written again: files may have changed their names")
  func confirmedBeforeAndThere() {
    var worker = worker(.undone, isConfirmed: [true, false])
    let plain = MemberState.plain(isBefore: true, isHeld: false)
    #expect(
      actions(&worker, [plain, plain])
        == [
          .secure, .rewrite(0), .synchronize(0), .rewrite(1), .synchronize(1), .settle(.undone),
        ])
  }

  @Test("a fence that has come to the path of a confirmed image is resolved")
  func confirmedBeforeSwap() {
    var worker = worker(.record, isConfirmed: [true, false])
    let published = MemberState.published(isAfter: true, isHeld: false)
    #expect(
      actions(&worker, [fenced(1), published])
        == [
          .secure, .write(.after, 0, of: 1), .synchronize(0), .rewrite(1), .synchronize(1),
          .settle(.record),
        ])
  }

  @Test(
    "an image that cannot be written does not keep the others from it; nothing is settled",
    arguments: [RecoveryWorker.Action.write(.after, 0, of: 0), .synchronize(0)])
  func writeFails(_ failing: RecoveryWorker.Action) {
    var worker = worker(.record)
    let taken = actions(&worker, [fenced(0), fenced(1)], failing: failing)
    #expect(taken.contains(.synchronize(1)))
    #expect(worker.ending == .failed)
    #expect(worker.outcomes == [.failed, .confirmed])
  }

  // MARK: One image alone

  @Test("the row of one image alone is made durable before its image is written")
  func aloneSecures() {
    let worker = worker(nil, count: 1)
    #expect(worker.actions == [.secure])
    var failed = worker
    failed.failed(.secure)
    #expect(failed.ending == .failed)
  }

  @Test("one image alone says itself what became of the commit")
  func alone() {
    let cases: [(MemberState, [RecoveryWorker.Action], CommitDecision)] = [
      (.published(isAfter: true, isHeld: false), [.rewrite(0), .synchronize(0)], .record),
      (.plain(isBefore: true, isHeld: false), [.rewrite(0), .synchronize(0)], .undone),
      (.plain(isBefore: false, isHeld: false), [], .unknown),
      (.other("empty"), [], .unknown),
      (fenced(0), [.write(.before, 0, of: 0), .synchronize(0)], .undone),
      (
        .fenced(of: 0, sector: .afterFenced, isHeld: false),
        [.write(.after, 0, of: 0), .synchronize(0)], .record
      ),
    ]
    for (state, expected, decision) in cases {
      var worker = worker(nil, count: 1)
      #expect(actions(&worker, [state]) == [.secure] + expected + [.settle(decision)], "\(state)")
      #expect(worker.ending == .settled(decision), "\(state)")
    }
  }

  @Test("one image alone whose fsync fails is fenced as what it shows")
  func aloneFails() {
    let cases: [(MemberState, CommitTables.Sector)] = [
      (.published(isAfter: true, isHeld: false), .afterFenced),
      (.plain(isBefore: true, isHeld: false), .fenced),
    ]
    for (state, fence) in cases {
      var worker = worker(nil, count: 1)
      worker.succeeded(.secure)
      worker.found(state, at: 0)
      worker.succeeded(.rewrite(0))
      worker.failed(.synchronize(0))
      #expect(worker.actions == [.write(fence, 0, of: 0)])
      worker.succeeded(.write(fence, 0, of: 0))
      #expect(worker.actions == [.synchronize(0)])
      worker.succeeded(.synchronize(0))
      #expect(worker.ending == .failed)
    }
  }

  @Test("one image to which another catalog has done more gets no fence of ours")
  func aloneFailsUnderOthers() {
    var worker = worker(nil, count: 1)
    worker.succeeded(.secure)
    worker.found(.published(isAfter: false, isHeld: false), at: 0)
    worker.succeeded(.rewrite(0))
    worker.failed(.synchronize(0))
    #expect(worker.ending == .failed)
  }
}
