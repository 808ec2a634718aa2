@testable import SnapshotJobs

extension Exploration {
  /// Who does a recovery.
  enum Recoverer: Int {
    case first, second, worker

    var holder: UInt8 {
      switch self {
      case .first: ModelImage.Holder.recovery
      case .second: ModelImage.Holder.recovery + 1
      case .worker: ModelImage.Holder.worker
      }
    }

    var actor: ExplorationEvent.Actor {
      switch self {
      case .first: .recovery0
      case .second: .recovery1
      case .worker: .worker
      }
    }
  }

  // MARK: Recoveries of other processes

  /// Everything that one of the recoveries may do, or that may happen to it.
  func recoverySteps(_ world: ModelWorld, _ number: Int) {
    guard let who = Recoverer(rawValue: number) else { return }
    guard world.recovery(number) != RecoveryBook.none else { return begin(world, who) }
    recover(world, who)
    var next = world
    if isFencing(world.recovery(number)) {
      guard scenario.leavesChainOpen else { return }
      next.isInOpenChain = true
    }
    release(who, &next)
    reach(next, ExplorationEvent(who.actor, .isKilled))
  }

  private func begin(_ world: ModelWorld, _ who: Recoverer) {
    guard isWorthRecovering(logs.row(world.log)) else { return }
    // While the worker lives, a recovery that asks for its lock first only finds that out.
    guard world.worker == WorkerBook.gone || scenario.tables.recovery.first != .lock else {
      return
    }
    var next = world
    set(recoveries.start, who, &next)
    if !scenario.isFineGrained { runUnseen(&next, who) }
    reach(ended(next, who), ExplorationEvent(who.actor, .begins))
  }

  /// Whether a recovery would find something to do.
  func isWorthRecovering(_ row: ModelRow) -> Bool {
    let all = UInt8(1) << scenario.memberCount - 1
    return row.exists && !(row.isSettled && row.confirmed == all)
  }

  /// Whether the next step is the fence behind a failed fsync of one image alone.
  func isFencing(_ recovery: UInt16) -> Bool {
    guard scenario.memberCount == 1 else { return false }
    if case .take(.write(let sector, _, _)) = recoveries[recovery].step {
      return sector == .fenced || sector == .afterFenced
    }
    return false
  }

  func id(_ world: ModelWorld, _ who: Recoverer) -> UInt16 {
    who == .worker ? world.ownRecovery : world.recovery(who.rawValue)
  }

  func set(_ id: UInt16, _ who: Recoverer, _ world: inout ModelWorld) {
    if who == .worker { world.ownRecovery = id } else { world.setRecovery(who.rawValue, id) }
  }

  func release(_ who: Recoverer, _ world: inout ModelWorld) {
    if who == .worker { return end(&world) }
    world.setRecovery(who.rawValue, RecoveryBook.none)
    world.release(who.holder)
  }

  /// Its process goes on to something else where it has ended.
  private func ended(_ world: ModelWorld, _ who: Recoverer) -> ModelWorld {
    if who == .worker { return ownRecoveryEnded(world) }
    guard case .over = recoveries[id(world, who)].step else { return world }
    var next = world
    release(who, &next)
    return next
  }

  // MARK: Steps that nobody else can see

  /// Takes steps as long as they change nothing that others see, and nothing that others do could change
  /// them: the row is read behind the worker's lock, and images are looked at behind theirs.
  private func runUnseen(_ world: inout ModelWorld, _ who: Recoverer) {
    while case .take(let action) = recoveries[id(world, who)].step, isUnseen(action) {
      if case .lockWorker = action, world.worker != WorkerBook.gone, who != .worker { return }
      takeUnseen(action, &world, who)
      if case .read = action, scenario.tables.recovery.first == .read { return }
    }
  }

  func isUnseen(_ action: RecoveryWorker.Action) -> Bool {
    switch action {
    case .lockWorker, .lock, .read, .peek, .look: true
    case .writeRecord, .writeUndone, .secure, .write, .rewrite, .synchronize, .settle: false
    }
  }

  func takeUnseen(
    _ action: RecoveryWorker.Action, _ world: inout ModelWorld, _ who: Recoverer
  ) {
    let report: RecoveryBook.Report
    switch action {
    case .lockWorker:
      report = who == .worker || world.worker == WorkerBook.gone ? .succeeded : .busy
    case .lock(let path):
      let index = world.image(at: path)
      if world[index].isFree, !world[index].isAway { world[index].holder = who.holder }
      report = .succeeded
    case .read:
      let row = logs.row(world.log)
      report = row.exists ? .row(row) : .failed
    case .peek(let path), .look(let path): report = look(path, world, who)
    case .writeRecord, .writeUndone, .secure, .write, .rewrite, .synchronize, .settle: return
    }
    follow(report, &world, who)
    if case .look = action { checkTold(world, who) }
  }

  func follow(
    _ report: RecoveryBook.Report, _ world: inout ModelWorld, _ who: Recoverer
  ) {
    set(recoveries.after(id(world, who), report), who, &world)
  }

  /// What the product would call the image in the place of a member.
  private func look(_ path: Int, _ world: ModelWorld, _ who: Recoverer) -> RecoveryBook.Report {
    let number = world.image(at: path)
    let image = world[number]
    if image.isAway { return .away }
    let isHeld = image.holder != who.holder
    let sector = image.cache
    if sector.isFencedByX {
      return .fenced(of: number, isAfter: sector.hasX, isHeld: isHeld)
    }
    if sector.isFencedByY { return .foreignFence(isHeld: isHeld) }
    let own = world[path]
    if sector.carriesX { return .published(isAfter: sector == own.after, isHeld: isHeld) }
    return .plain(isBefore: sector == own.before, isHeld: isHeld)
  }

  // MARK: Steps that others see

  /// The next step of a recovery that has begun.
  func recover(_ world: ModelWorld, _ who: Recoverer) {
    let entry = recoveries[id(world, who)]
    switch entry.step {
    case .over: break
    case .note:
      let row = logs.row(world.log)
      guard row.exists else { return finish(.failed, world, who, .notes, .fails) }
      commit(row.confirming(entry.confirmed), .notes, world, who)
    case .take(let action): take(action, entry, world, who)
    }
  }

  private func take(
    _ action: RecoveryWorker.Action, _ entry: RecoveryBook.Entry, _ world: ModelWorld,
    _ who: Recoverer
  ) {
    let row = logs.row(world.log)
    switch action {
    case .lockWorker, .lock, .read, .peek, .look:
      var next = world
      takeUnseen(action, &next, who)
      if !scenario.isFineGrained { runUnseen(&next, who) }
      reach(ended(next, who), ExplorationEvent(who.actor, .looks))
    case .writeRecord: decide(.record, row, world, who)
    case .writeUndone: decide(.undone, row, world, who)
    case .secure: secure(entry.decision, world, who)
    case .write(let sector, let path, let source):
      let index = world.image(at: path)
      var next = world
      put(sector, at: index, of: source, by: who.holder, in: &next)
      wrote(next, world, index, Self.event(of: sector), who)
    case .rewrite(let path):
      let index = world.image(at: path)
      var next = world
      rewrite(index, by: who.holder, in: &next)
      wrote(next, world, index, .rewrites, who)
    case .synchronize(let path): synchronize(world.image(at: path), world, who)
    case .settle(let decision):
      guard row.exists else { return finish(.failed, world, who, .settles, .fails) }
      commit(settled(row, decision, entry.confirmed), .settles, world, who)
    }
  }

  /// A step has come to this end.
  private func finish(
    _ report: RecoveryBook.Report, _ world: ModelWorld, _ who: Recoverer,
    _ name: ExplorationEvent.Name, _ end: ExplorationEvent.End = .done, _ index: Int = 15
  ) {
    var next = world
    follow(report, &next, who)
    if !scenario.isFineGrained { runUnseen(&next, who) }
    reach(ended(next, who), ExplorationEvent(who.actor, name, index, end))
  }

  private func wrote(
    _ next: ModelWorld, _ world: ModelWorld, _ index: Int, _ name: ExplorationEvent.Name,
    _ who: Recoverer
  ) {
    finish(.succeeded, next, who, name, .done, index)
    guard world.failures < scenario.failures else { return }
    var failed = world
    failed.failures += 1
    finish(.failed, failed, who, name, .fails, index)
  }

  private func synchronize(_ index: Int, _ world: ModelWorld, _ who: Recoverer) {
    var next = world
    next[index].synchronize()
    finish(.succeeded, next, who, .synchronizes, .done, index)
    guard world.failures < scenario.failures else { return }
    for isWritten in [false, true] {
      var failed = world
      failed.failures += 1
      failed[index].synchronizeInVain(isWritten: isWritten)
      finish(.failed, failed, who, .synchronizes, isWritten ? .failsLate : .fails, index)
    }
  }

  // MARK: The catalog

  private func decide(
    _ decision: CommitDecision, _ row: ModelRow, _ world: ModelWorld, _ who: Recoverer
  ) {
    let name: ExplorationEvent.Name = decision == .record ? .entersRecord : .entersUndone
    guard row.exists else { return finish(.failed, world, who, name, .fails) }
    if let other = row.decision, other != decision {
      finish(.overtaken(row), world, who, name)
    } else {
      commit(row.decided(decision), name, world, who)
    }
  }

  private func secure(
    _ decision: CommitDecision?, _ world: ModelWorld, _ who: Recoverer
  ) {
    let isLeftOut = decision == .undone && !scenario.securesUndone
    switch scenario.tables.decisionDurability {
    case .fullCommit where !isLeftOut:
      commit(logs.row(world.log), .secures, world, who)
    case .checkpoint where !isLeftOut && scenario.checkpointRestarts:
      outcomes(logs.restart(world.log), .secures, world, who)
      // A reader keeps the checkpoint from ending.
      finish(.failed, world, who, .secures, .fails)
    default: finish(.succeeded, world, who, .secures)
    }
  }

  private func commit(
    _ row: ModelRow, _ name: ExplorationEvent.Name, _ world: ModelWorld, _ who: Recoverer
  ) {
    // What stands there already is not written again, but for the commit that shall make the log durable.
    if row == logs.row(world.log), name != .secures {
      return finish(.succeeded, world, who, name)
    }
    outcomes(logs.commit(row, to: world.log), name, world, who)
    guard world.failures < scenario.failures else { return }
    var failed = world
    failed.failures += 1
    finish(.failed, failed, who, name, .fails)
  }

  private func outcomes(
    _ outcomes: LogBook.Outcomes, _ name: ExplorationEvent.Name, _ world: ModelWorld,
    _ who: Recoverer
  ) {
    var next = world
    next.log = outcomes.done
    finish(.succeeded, next, who, name)
    for log in outcomes.killed {
      var next = world
      next.log = log
      release(who, &next)
      reach(next, ExplorationEvent(who.actor, name, 15, .killed))
    }
    guard world.failures < scenario.failures else { return }
    for log in outcomes.failed {
      var next = world
      next.failures += 1
      next.log = log
      finish(.failed, next, who, name, .failsLate)
    }
  }
}
