@testable import SnapshotJobs

/// Gives the states of the product's worker numbers, and remembers what it makes of each report.
///
/// Actions that may be taken side by side are begun together, as the product does it: each is reported before
/// more are asked for, also where another one has failed. They end in any order.
struct WorkerBook {
  /// A worker, and which of the actions that it has begun have not ended.
  private struct Process: Hashable {
    var machine: CommitWorker
    var begun: [CommitWorker.Action]
  }

  /// What is to be known of a state.
  struct Entry {
    /// What may end next.
    let begun: [CommitWorker.Action]
    /// How the worker ended; nil while there is something to do.
    let ending: CommitWorker.Ending?
    /// Whether the job may be cancelled here.
    let isAnnounced: Bool
    /// Whether the next thing to do is the fence behind a failed fsync of one image alone.
    let isFencing: Bool
  }

  /// A report to the worker.
  enum Report: Int {
    case succeeded, failedWithoutTrace, failed
  }

  /// What its own recovery has found.
  enum Recovered: Int {
    case committed, rolledBack, inDoubt
  }

  /// The state before everything is prepared.
  static let preparing: UInt16 = 0
  /// There is no worker any more.
  static let gone: UInt16 = 1
  private static let reports = 16
  private static let cancelCode = 8
  private static let recoveredCode = 9
  private static let unknown = UInt16.max

  private var processes: [Process?] = [nil, nil]
  private var entries: [Entry]
  private var numbers: [Process: UInt16] = [:]
  private var following: [UInt16]
  private(set) var start: UInt16 = 0

  init(memberCount: Int, waits: Bool, tables: CommitTables) {
    let nothing = Entry(begun: [], ending: nil, isAnnounced: false, isFencing: false)
    entries = [nothing, nothing]
    following = Array(repeating: Self.unknown, count: 2 * Self.reports)
    start = number(
      of: CommitWorker(memberCount: memberCount, waits: waits, tables: tables), begun: [])
  }

  subscript(number: UInt16) -> Entry { entries[Int(number)] }

  /// How many states there are.
  var count: Int { entries.count }

  private mutating func number(
    of machine: CommitWorker, begun: [CommitWorker.Action]
  ) -> UInt16 {
    let process = Process(machine: machine, begun: begun.isEmpty ? machine.actions : begun)
    if let known = numbers[process] { return known }
    let number = UInt16(entries.count)
    numbers[process] = number
    processes.append(process)
    let isFencing =
      if case .write(.afterFenced, _)? = process.begun.first { true } else { false }
    entries.append(
      Entry(
        begun: process.begun, ending: machine.ending,
        isAnnounced: machine.isAnnounced && process.begun == machine.actions,
        isFencing: isFencing))
    following.append(contentsOf: Array(repeating: Self.unknown, count: Self.reports))
    return number
  }

  private mutating func follow(
    _ number: UInt16, _ code: Int, begun: [CommitWorker.Action],
    _ change: (inout CommitWorker) -> Void
  ) -> UInt16 {
    guard var machine = processes[Int(number)]?.machine else { return Self.gone }
    change(&machine)
    let next = self.number(of: machine, begun: begun)
    following[Int(number) * Self.reports + code] = next
    return next
  }

  private func known(_ number: UInt16, _ code: Int) -> UInt16? {
    let next = following[Int(number) * Self.reports + code]
    return next == Self.unknown ? nil : next
  }

  /// One of the actions that were begun has ended.
  mutating func after(_ number: UInt16, _ index: Int, _ report: Report) -> UInt16 {
    let code = index * 4 + report.rawValue
    if let next = known(number, code) { return next }
    var begun = entries[Int(number)].begun
    let action = begun.remove(at: index)
    return follow(number, code, begun: begun) { machine in
      switch report {
      case .succeeded: machine.succeeded(action)
      case .failedWithoutTrace: machine.failed(action, isAmbiguous: false)
      case .failed: machine.failed(action, isAmbiguous: true)
      }
    }
  }

  /// The job was cancelled.
  mutating func cancelled(_ number: UInt16) -> UInt16 {
    if let next = known(number, Self.cancelCode) { return next }
    return follow(number, Self.cancelCode, begun: []) { $0.cancel() }
  }

  /// Its own recovery has ended.
  mutating func recovered(_ number: UInt16, _ result: Recovered) -> UInt16 {
    let code = Self.recoveredCode + result.rawValue
    if let next = known(number, code) { return next }
    return follow(number, code, begun: []) { machine in
      switch result {
      case .committed: machine.recovered(.committed)
      case .rolledBack: machine.recovered(.rolledBack)
      case .inDoubt: machine.recovered(.inDoubt)
      }
    }
  }
}
