/// Gives the states of the catalog's log numbers, and remembers what follows from each.
struct LogBook {
  /// What can become of an act on the catalog. The numbers are those of logs.
  struct Outcomes {
    /// It has come about, durably.
    let done: UInt16
    /// It has come about; another commit will make it durable.
    let listed: UInt16
    /// The process was killed before the fsync returned.
    let killed: [UInt16]
    /// The fsync has failed; the process has noted that, or was killed before.
    let failed: [UInt16]
  }

  private var logs: [ModelLog] = []
  private var numbers: [ModelLog: UInt16] = [:]
  private var rows: [ModelRow] = []
  private var commits: [UInt32: Outcomes] = [:]
  private var restarts: [UInt16: Outcomes] = [:]
  private var rebuilds: [UInt16: [UInt16]] = [:]
  private var powerLosses: [UInt16: [UInt16]] = [:]
  /// By number; nil where it is not known yet.
  private var withoutPowerLoss: [UInt16?] = []

  /// How many states of the log there are.
  var count: Int { logs.count }

  subscript(number: UInt16) -> ModelLog { logs[Int(number)] }

  /// What programs see.
  func row(_ number: UInt16) -> ModelRow { rows[Int(number)] }

  mutating func number(of log: ModelLog) -> UInt16 {
    if let known = numbers[log] { return known }
    let number = UInt16(logs.count)
    numbers[log] = number
    logs.append(log)
    rows.append(log.row)
    withoutPowerLoss.append(nil)
    return number
  }

  private mutating func numbers(of logs: [ModelLog]) -> [UInt16] {
    var seen: [UInt16] = []
    for log in logs {
      let number = number(of: log)
      if !seen.contains(number) { seen.append(number) }
    }
    return seen
  }

  /// A commit that changes the row.
  mutating func commit(_ row: ModelRow, to number: UInt16) -> Outcomes {
    let key = UInt32(number) << 8 | UInt32(row.bits)
    if let known = commits[key] { return known }
    var appended = logs[Int(number)]
    appended.append(row)
    let outcomes = outcomes(of: appended)
    commits[key] = outcomes
    return outcomes
  }

  /// A complete checkpoint and a commit that begins the log anew.
  mutating func restart(_ number: UInt16) -> Outcomes {
    if let known = restarts[number] { return known }
    let outcomes = outcomes(of: logs[Int(number)].restarted)
    restarts[number] = outcomes
    return outcomes
  }

  private mutating func outcomes(of appended: ModelLog) -> Outcomes {
    var done = appended
    done.synchronize()
    done.list()
    var listed = appended
    listed.list()
    return Outcomes(
      done: number(of: done), listed: number(of: listed),
      killed: numbers(of: [appended, appended.writtenBack]),
      failed: numbers(of: appended.failedSynchronizations.flatMap { [$0, $0.noted] }))
  }

  /// The same log where no power loss can follow.
  mutating func withoutPowerLoss(_ number: UInt16) -> UInt16 {
    if let known = withoutPowerLoss[Int(number)] { return known }
    let found = self.number(of: logs[Int(number)].withoutPowerLoss)
    withoutPowerLoss[Int(number)] = found
    return found
  }

  /// All processes end, and the next one opens the catalog: what it may see, where that is something else.
  mutating func rebuild(_ number: UInt16) -> [UInt16] {
    if let known = rebuilds[number] { return known }
    let found = numbers(of: logs[Int(number)].rebuilt).filter { $0 != number }
    rebuilds[number] = found
    return found
  }

  /// What may be seen after a power loss.
  mutating func losePower(_ number: UInt16) -> [UInt16] {
    if let known = powerLosses[number] { return known }
    let rows = logs[Int(number)].rowsAfterPowerLoss.sorted { $0.bits < $1.bits }
    let found = numbers(of: rows.map { ModelLog($0) })
    powerLosses[number] = found
    return found
  }
}
