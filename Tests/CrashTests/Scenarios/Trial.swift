import Glibc
import JobCatalog
import Jobs
import SnapshotJobs
import TestOracles

/// A scenario in one directory: performed with every fault, crashed everywhere, recovered and judged.
final class Trial {
  private let scenario: Scenario
  private let protection: Protection
  private let tally: Tally
  private let stopsAtDamage: Bool
  private let place: Workplace
  private let performance: Performance
  private let judge: ImageJudge
  private var stages = Stages()
  private let base: [String: FileModel]
  private let baseCompanions: Workplace.Companions
  private let loneImages: Set<String>
  private var seen: Set<ContentKey> = []
  private var generator: SeededGenerator
  private var actCount: UInt8 = 0

  private let focus: Focus

  init(
    _ scenario: Scenario, protection: Protection = Protection(), focus: Focus = Focus(),
    tally: Tally, seed: UInt64,
    convertInterval: Int, stopsAtDamage: Bool = false
  ) throws {
    self.scenario = scenario
    self.protection = protection
    self.focus = focus
    self.tally = tally
    self.stopsAtDamage = stopsAtDamage
    generator = SeededGenerator(seed: seed)
    place = try Workplace(scenario.format, diskCount: scenario.diskCount)
    performance = try Performance(scenario.operation, at: place, protection: protection)
    place.createdPaths = performance.createdPaths
    judge = ImageJudge(
      foreignRange: scenario.format.foreignRange, scratch: place.scratch,
      convertInterval: convertInterval)
    let isAlone = scenario.diskCount == 1 || scenario.operation == .repair
    loneImages = isAlone ? Set(place.nodes.map(\.path)) : []
    base = try place.read()
    baseCompanions = place.companions
  }

  private var imagePaths: [String] { place.nodes.map(\.path) + place.createdPaths }

  /// Tries so many distinct states, if there are as many.
  func run(stateCount: Int) throws {
    defer { tally.addImages(judge.imageCount, converted: judge.convertedCount) }
    let journal = try performWithoutFault()
    var faults = try faults(failures: journal, kills: performBesideBystander())
    var left = stateCount
    let plainLimit = faults.isEmpty ? left : left * 2 / 5
    left -= try examineStates(
      of: journal, from: base, name: "\(scenario)", limit: focus.triesPlainCrashes ? plainLimit : 0)
    while let fault = faults.popLast(), left > 0, !isOver {
      try restart()
      let journal = Journal(failing: fault)
      let remarks = try performance.run(
        at: place, journal, protection, hasBystander: fault.kills)
      stages.lacksState = remarks.contains { $0.contains("state is left out of the snapshot") }
      left -= try examineStates(
        of: journal, from: base, name: "\(scenario), \(fault)", onlyAfterFault: true,
        limit: max(1, left / (faults.count + 1)))
    }
    stages.lacksState = false
    // What the faults have left over goes to the states without one.
    if focus.triesPlainCrashes, left > 0, !isOver {
      try restart()
      let journal = Journal()
      try performance.run(at: place, journal, protection)
      _ = try examineStates(of: journal, from: base, name: "\(scenario)", limit: left)
    }
  }

  /// Tells what the images look like after each step.
  private func performWithoutFault() throws -> Journal {
    stages.add(try look())
    let journal = Journal()
    var doneCount = 0
    try performance.run(at: place, journal, protection) { count in
      doneCount = count
      stages.add(try look())
    }
    guard doneCount == performance.steps.count else {
      throw OracleError("\(scenario): step \(doneCount + 1) was not done")
    }
    for (view, path) in zip(stages.views[doneCount], imagePaths) where view.usability != .checked(0)
    {
      throw OracleError("\(scenario): \(path) is \(view.usability) in the end")
    }
    return journal
  }

  private func look() throws -> [ImageView] {
    try imagePaths.map { try judge.look(at: $0, place.read($0)) }
  }

  /// What is done while another process has the catalog open: its calls are not those of a process alone, because a
  /// log that somebody else may have left a hole in is made durable first.
  private func performBesideBystander() throws -> Journal {
    let journal = Journal()
    try restart()
    try performance.run(at: place, journal, protection, hasBystander: true)
    return journal
  }

  /// Everything is as before the operation.
  private func restart() throws {
    try place.place(base)
    place.companions = baseCompanions
  }

  /// One failure each, of every fsync and of some writes; and the end of the process there, while another one
  /// has the catalog open, sees it as the dead one has left it in memory, and recovers.
  ///
  /// - Parameters:
  ///   - failures: the calls of a process alone.
  ///   - kills: those of one beside another.
  /// - Returns: the faults in an order of chance.
  private func faults(failures: Journal, kills: Journal) -> [Journal.Fault] {
    var faults: [Journal.Fault] = []
    for kind in Journal.Fault.Kind.allCases {
      let failing = numbers(of: kind, in: failures)
      faults += failing.map { Journal.Fault(kind: kind, number: $0) }
      if let last = failing.last {
        faults.append(Journal.Fault(kind: kind, number: last, lasts: true))
      }
      faults += numbers(of: kind, in: kills).map {
        Journal.Fault(kind: kind, number: $0, kills: true)
      }
    }
    return faults.filter(focus.includes).shuffled(using: &generator)
  }

  /// Which calls of a kind are made to fail: every fsync, up to a limit, and some of the writes.
  private func numbers(of kind: Journal.Fault.Kind, in journal: Journal) -> [Int] {
    let count = journal.count(of: kind)
    guard count > 0 else { return [] }
    let numbers = Array(1...count).shuffled(using: &generator)
    let isSync = kind == .imageSync || kind == .catalogSync
    // The last writes are those of the commit itself.
    return isSync ? Array(numbers.prefix(16)) : numbers.prefix(4) + numbers.sorted().suffix(6)
  }

  /// Examines states of a journal.
  ///
  /// - Returns: how many distinct ones there were.
  private func examineStates(
    of journal: Journal, from files: [String: FileModel], acknowledged: Int = 0, name: String,
    onlyAfterFault: Bool = false, limit: Int, work: ForeignWork = ForeignWork(),
    isInRecovery: Bool = false
  ) throws -> Int {
    let companions = place.companions
    defer { place.companions = companions }
    var points = CrashPoints(
      of: protection.rearranged(journal.entries, from: files), from: files,
      acknowledged: acknowledged,
      name: name, loneImages: loneImages,
      onlyAfterFault: onlyAfterFault,
      eventsAfterFailure: onlyAfterFault && !isInRecovery ? focus.eventsAfterFailure : nil,
      seed: generator.next())
    var count = 0
    while count < limit, !isOver, let state = points.nextState() {
      place.companions = companions
      count += try examine(state, work, isInRecovery: isInRecovery)
    }
    return count
  }

  /// Whether it is enough.
  private var isOver: Bool { stopsAtDamage && tally.damageCount > 0 }

  // MARK: One state

  private func chance(_ percentage: Int) -> Bool {
    Int(generator.next() % 100) < percentage
  }

  /// Examines one state, and those in which its recovery may end.
  ///
  /// - Returns: the number of distinct ones.
  private func examine(
    _ state: CrashState, _ earlier: ForeignWork, isInRecovery: Bool
  ) throws -> Int {
    let acts = chooseActs(state)
    var key = state.key
    key.add(ContentKey(of: (earlier.story + acts.map(\.rawValue)).joined(separator: ",")), at: 4)
    guard seen.insert(key).inserted else { return 0 }
    try place.place(state.files)
    var story = state.story
    var verdict = Verdict(stages, diskCount: scenario.diskCount)
    verdict.judgeBefore(try look())

    // Others act, and perhaps the power goes once more.
    var state = state
    var work = earlier
    try perform(acts, &state, &work)
    // What they build on a sector that is lost with the power is lost with it, sooner or later.
    if state.isLoneChain, work.story.count > earlier.story.count { work.isOnLoneSector = true }
    var isLoneChain = work.isOnLoneSector && isInRecovery
    if imagePaths.contains(where: { state.files[$0]?.hasLost == true }),
      chance(focus.earlyLossPercentage)
    {
      isLoneChain = work.isOnLoneSector
      let seed = chance(50) ? nil : generator.next()
      state.files = state.files.afterPowerLoss { change, _ in
        seed.map { SeededGenerator.bit($0, change) } ?? false
      }
      story += ", then \(work.story), power loss"
      try place.place(state.files)
    }

    // Recovery, perhaps with a fault; then once more without.
    var count = 1
    let detours = try detours(acts)
    let fault = chance(15) ? recoveryFault() : nil
    let journal = Journal(failing: fault)
    let companions = place.companions
    var aftermath = try recover(journal, isLast: fault == nil && detours.isEmpty, &verdict)
    let text = aftermath?.text ?? "no catalog"
    if !isInRecovery, detours.isEmpty, fault != nil || chance(focus.recoveryCrashPercentage) {
      let recovered = try place.read()
      let now = place.companions
      count += try examineStates(
        of: journal, from: state.files, acknowledged: state.acknowledged,
        name: "\(story), \(work.story), recovery\(fault.map { " with \($0)" } ?? "")",
        onlyAfterFault: fault != nil, limit: focus.statesOfRecovery, work: work, isInRecovery: true)
      place.companions = now
      try place.place(recovered)
    }
    if fault != nil || !detours.isEmpty {
      try detours.reversed().forEach { try $0() }
      aftermath = try recover(Journal(), isLast: true, &verdict)
    }
    place.companions = companions
    verdict.judgeAfter(try look(), work)
    verdict.judge(acknowledged: performance.createdPaths.isEmpty ? state.acknowledged : 0)
    if let aftermath { try judgeJobs(aftermath, &verdict) }
    tally.enter(
      verdict.damages, rows: scenario.rows,
      story: "\(story); \(work.story); \(acts); \(text); \(aftermath?.text ?? "no catalog")",
      isLoneChain: isLoneChain)
    return count
  }

  private func chooseActs(_ state: CrashState) -> [ForeignAct] {
    let percentage = state.isLoneChain ? focus.loneActPercentage : focus.actPercentage
    guard chance(percentage) else { return [] }
    // What hides a disk or shows it twice comes first: others act on the disks as they are named.
    var acts = [ForeignAct.allCases[Int(generator.next() % UInt64(ForeignAct.allCases.count))]]
    if state.isLoneChain { acts = [.vmWrites] }
    if chance(30) {
      acts.append([.vmWrites, .repaired, .overlayCommitted][Int(generator.next() % 3)])
    }
    if place.format.deviceSize != nil {
      acts.removeAll { [.away, .swapped, .copied].contains($0) }
    }
    return acts.filter {
      switch $0 {
      case .swapped: scenario.diskCount > 1
      // QEMU's own repair loses all snapshots of an image that has bitmaps, whoever has made them.
      case .repaired: !scenario.hasBitmaps
      default: true
      }
    }
  }

  private func perform(
    _ acts: [ForeignAct], _ state: inout CrashState, _ work: inout ForeignWork
  ) throws {
    let programs = ForeignPrograms(place: place, protection: protection)
    for act in acts {
      let disk = Int(generator.next() % UInt64(scenario.diskCount))
      actCount = actCount % 250 + 1
      try spoilLost(of: place.nodes[disk].path, in: &state)
      guard try programs.perform(act, on: disk, byte: actCount, &work) else { continue }
      let path = place.nodes[disk].path
      if let content = try place.read(path) { state.files[path]?.adopt(content) }
    }
  }

  /// What a commit has prepared that did not come about lies in free clusters: nobody reads it.
  private func spoilLost(of path: String, in state: inout CrashState) throws {
    guard let old = base[path]?.cached, var model = state.files[path],
      model.cached.bytes(at: 0, count: 512) == old.bytes(at: 0, count: 512), model.spoilLost()
    else { return }
    try model.cached.write(to: path)
    state.files[path] = model
  }

  /// Moves disks about for the time of a recovery.
  ///
  /// - Returns: what puts them back.
  private func detours(_ acts: [ForeignAct]) throws -> [() throws -> Void] {
    var detours: [() throws -> Void] = []
    for act in acts {
      let disk = Int(generator.next() % UInt64(scenario.diskCount))
      let path = place.nodes[disk].path
      let aside = path + ".aside"
      switch act {
      case .away:
        guard rename(path, aside) == 0 else { throw OracleError("cannot move \(path)") }
        detours.append {
          guard rename(aside, path) == 0 else { throw OracleError("cannot move \(aside)") }
        }
      case .swapped:
        let other = place.nodes[(disk + 1) % scenario.diskCount].path
        let swap = {
          guard rename(path, aside) == 0, rename(other, path) == 0, rename(aside, other) == 0
          else { throw OracleError("cannot swap \(path) and \(other)") }
        }
        try swap()
        detours.append(swap)
      case .copied:
        // Only what is fenced may be put back: that a copy of anything else is old is its owner's affair.
        guard let content = try place.read(path),
          try judge.look(at: path, content).usability == .fenced
        else { continue }
        detours.append { try content.write(to: path) }
      case .vmWrites, .overlayCommitted, .repaired, .secondCatalog: break
      }
    }
    return detours
  }

  private func recoveryFault() -> Journal.Fault {
    let kinds = Journal.Fault.Kind.allCases
    return Journal.Fault(
      kind: kinds[Int(generator.next() % UInt64(kinds.count))],
      number: 1 + Int(generator.next() % 3))
  }

  /// What the catalog says once everything is over.
  private struct Aftermath {
    var jobs: [JobID: JobRecord] = [:]
    var nodePaths: Set<String> = []
    var text = ""
  }

  /// Recovers.
  ///
  /// - Parameters:
  ///   - journal: what is done goes into it, and may fail by it.
  ///   - isLast: whether nothing may be left to do then.
  ///   - verdict: gets to know of what is left.
  /// - Returns: what the catalog says; nil if it could not be read.
  /// - Throws: if the tools of the test fail.
  private func recover(
    _ journal: Journal, isLast: Bool, _ verdict: inout Verdict
  ) throws -> Aftermath? {
    do {
      let process = try ProductProcess(
        catalogPath: place.catalogPath, journal: journal, protection: protection)
      defer { process.end() }
      var aftermath = Aftermath()
      do throws(JobError) {
        let findings = try process.recovery(protection).run(isThorough: isLast)
        aftermath.text = findings.map { "\($0.outcome) \($0.images)" }.joined(separator: "; ")
        if isLast, let open = findings.first(where: { !$0.isResolved }) {
          verdict.note(.stuck, "recovery leaves: \(open.outcome) \(open.images)")
        }
      } catch {
        if isLast { verdict.note(.stuck, "recovery: \(error)") }
      }
      if isLast { process.meetFences(of: place.nodes, protection) }
      try place.noteCompanions()
      guard isLast else { return aftermath }
      let count = try protection.openCommitCount(process.catalog)
      if count > 0 { verdict.note(.stuck, "\(count) commits are open") }
      for job in try process.catalog.jobs() { aftermath.jobs[job.id] = job }
      aftermath.nodePaths = Set(
        try process.catalog.machine(named: Machine.defaultName).nodes.map(\.path))
      return aftermath
    } catch let error as JobError {
      if isLast { verdict.note(.stuck, "the catalog: \(error)") }
      return nil
    }
  }

  /// What the catalog says of the jobs must be true of the disks.
  private func judgeJobs(_ aftermath: Aftermath, _ verdict: inout Verdict) throws {
    for (index, step) in performance.steps.enumerated() {
      let path = place.createdPaths.isEmpty ? nil : place.createdPaths[index]
      let created = try path.map { try judge.look(at: $0, place.read($0)) }
      for job in step.jobs.compactMap({ aftermath.jobs[$0] }) {
        guard job.status == .concluded else {
          verdict.note(.stuck, "job \(job.id) is \(job.status)")
          continue
        }
        verdict.judge(step: index, hasFailed: job.error != nil, created: created)
      }
      if let path, aftermath.nodePaths.contains(path) {
        verdict.judge(step: index, hasFailed: false, created: created)
      }
    }
  }
}

extension SeededGenerator {
  /// One bit of chance for a number.
  fileprivate static func bit(_ seed: UInt64, _ number: Int) -> Bool {
    var generator = SeededGenerator(seed: seed &+ UInt64(number) &* 0x9e37)
    return generator.next() & 1 != 0
  }
}
