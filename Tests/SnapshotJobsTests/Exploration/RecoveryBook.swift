import Jobs
import Qcow2

@testable import SnapshotJobs

/// Gives the states of the product's recovery numbers, and remembers what it makes of each report.
///
/// It takes the first of the actions that are offered, as the product does.
struct RecoveryBook {
  /// A recovery, and whether the members that it has finished of an open commit are still to be noted.
  private struct Process: Hashable {
    var machine: RecoveryWorker
    var hasNoted = false
  }

  /// What is to be done.
  enum Step {
    case take(RecoveryWorker.Action)
    /// Enter which members are finished of a commit that stays open.
    case note
    case over
  }

  /// What is to be known of a state.
  struct Entry {
    let step: Step
    let ending: RecoveryWorker.Ending?
    let decision: CommitDecision?
    /// The members that are not judged again.
    let confirmed: UInt8
    /// A member that was left alone though several images are concerned; nil for none.
    let told: MemberState.Kind?
  }

  /// What is reported of a step; every report has a number below 64.
  struct Report {
    let code: Int

    static let succeeded = Report(code: 0)
    static let failed = Report(code: 1)
    /// The worker's lock is not free.
    static let busy = Report(code: 2)
    static func row(_ row: ModelRow) -> Report { Report(code: 3 + Int(row.bits & 31)) }
    /// Somebody else was faster.
    static func overtaken(_ row: ModelRow) -> Report { Report(code: 60 + Int(row.bits & 3)) }

    // MARK: Images

    static let away = Report(code: 35)
    static func fenced(of member: Int, isAfter: Bool, isHeld: Bool) -> Report {
      Report(code: 36 + member * 4 + (isAfter ? 2 : 0) + (isHeld ? 1 : 0))
    }
    static func published(isAfter: Bool, isHeld: Bool) -> Report {
      Report(code: 44 + (isAfter ? 2 : 0) + (isHeld ? 1 : 0))
    }
    static func plain(isBefore: Bool, isHeld: Bool) -> Report {
      Report(code: 48 + (isBefore ? 2 : 0) + (isHeld ? 1 : 0))
    }
    static func foreignFence(isHeld: Bool) -> Report { Report(code: 52 + (isHeld ? 1 : 0)) }

    /// What it says of an image; nil for other reports.
    fileprivate var state: MemberState? {
      let isHeld = code & 1 == 1
      return switch code {
      case 35: .away(JobError(.notFound, "away"))
      case 36..<44:
        .fenced(
          of: (code - 36) / 4, sector: (code - 36) & 2 != 0 ? .afterFenced : .fenced,
          isHeld: isHeld)
      case 44..<48: .published(isAfter: code & 2 != 0, isHeld: isHeld)
      case 48..<52: .plain(isBefore: code & 2 != 0, isHeld: isHeld)
      case 52..<54: .foreignFence(RecoveryBook.foreignMark, isHeld: isHeld)
      default: nil
      }
    }

    /// What it says of the row.
    fileprivate var row: ModelRow { ModelRow(bits: UInt8(code - 3) | 32) }
  }

  private static let foreignMark = FenceMark(
    commit: CommitID(), catalog: CatalogID(), member: 0, memberCount: 1)
  /// There is no recovery.
  static let none: UInt16 = 0
  private static let reports = 64
  private static let unknown = UInt16.max

  private let memberCount: Int
  private var processes: [Process?] = [nil]
  private var entries: [Entry]
  private var numbers: [Process: UInt16] = [:]
  private var following: [UInt16]
  private(set) var start: UInt16 = 0

  init(memberCount: Int, tables: CommitTables) {
    self.memberCount = memberCount
    entries = [Entry(step: .over, ending: nil, decision: nil, confirmed: 0, told: nil)]
    following = Array(repeating: Self.unknown, count: Self.reports)
    start = number(
      of: Process(machine: RecoveryWorker(memberCount: memberCount, tables: tables)))
  }

  subscript(number: UInt16) -> Entry { entries[Int(number)] }

  /// How many states there are.
  var count: Int { entries.count }

  private mutating func number(of process: Process) -> UInt16 {
    if let known = numbers[process] { return known }
    let number = UInt16(entries.count)
    numbers[process] = number
    processes.append(process)
    entries.append(entry(of: process))
    following.append(contentsOf: Array(repeating: Self.unknown, count: Self.reports))
    return number
  }

  private func entry(of process: Process) -> Entry {
    let machine = process.machine
    var confirmed: UInt8 = 0
    var told: MemberState.Kind?
    for (index, outcome) in machine.outcomes.enumerated() {
      if outcome == .confirmed || machine.decision == .unknown { confirmed |= 1 << index }
      if case .told(let state) = outcome, memberCount > 1 { told = state.kind }
    }
    let step: Step
    if let action = machine.actions.first {
      step = .take(action)
    } else {
      switch machine.ending {
      // One image alone is judged until what became of it is entered.
      case .waits, .failed:
        step = process.hasNoted || confirmed == 0 || memberCount == 1 ? .over : .note
      case .settled, .busy, .settledByOthers, nil: step = .over
      }
    }
    return Entry(
      step: step, ending: machine.ending, decision: machine.decision, confirmed: confirmed,
      told: told)
  }

  /// The step has ended.
  mutating func after(_ number: UInt16, _ report: Report) -> UInt16 {
    let place = Int(number) * Self.reports + report.code
    if following[place] != Self.unknown { return following[place] }
    guard var process = processes[Int(number)] else { return Self.none }
    switch entries[Int(number)].step {
    case .over: return number
    case .note: process.hasNoted = true
    case .take(let action): Self.report(report, of: action, to: &process.machine)
    }
    let next = self.number(of: process)
    following[place] = next
    return next
  }

  private static func report(
    _ report: Report, of action: RecoveryWorker.Action, to machine: inout RecoveryWorker
  ) {
    if report.code == Report.failed.code { return machine.failed(action) }
    switch action {
    case .lockWorker: machine.workerLock(isFree: report.code != Report.busy.code)
    case .lock(let index): machine.tried(lockOf: index)
    case .read:
      let row = report.row
      machine.read(
        row.decision, isSettled: row.isSettled,
        isConfirmed: machine.outcomes.indices.map { row.confirmed >> $0 & 1 == 1 })
    case .peek(let index): machine.peeked(index, report.state)
    case .look(let index):
      if let state = report.state { machine.found(state, at: index) }
    case .writeRecord, .writeUndone:
      machine.succeeded(action)
      if report.code > 60, let decision = ModelRow(bits: UInt8(report.code - 60)).decision {
        machine.overtaken(by: decision)
      }
    case .secure, .write, .rewrite, .synchronize, .settle: machine.succeeded(action)
    }
  }
}
