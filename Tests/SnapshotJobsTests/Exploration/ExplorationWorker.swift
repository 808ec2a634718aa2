@testable import SnapshotJobs

extension Exploration {
  // MARK: The worker

  /// Everything that the worker may do, or that may happen to it.
  func workerSteps(_ world: ModelWorld) {
    if world.worker == WorkerBook.gone { return }
    if world.worker == WorkerBook.preparing {
      preparationSteps(world)
    } else {
      let entry = workers[world.worker]
      for (index, action) in entry.begun.enumerated() { perform(action, index, world) }
      if entry.isAnnounced {
        var next = world
        next.worker = workers.cancelled(world.worker)
        reach(ended(next), ExplorationEvent(.worker, .isCancelled))
      }
    }
    if world.worker != WorkerBook.preparing || world.first.holder == ModelImage.Holder.worker
      || world.second.holder == ModelImage.Holder.worker
    {
      kill(world)
    }
  }

  private func kill(_ world: ModelWorld) {
    var next = world
    let isFencing = workers[world.worker].isFencing || isFencing(world.ownRecovery)
    if isFencing {
      guard scenario.leavesChainOpen else { return }
      next.isInOpenChain = true
    }
    end(&next)
    reach(next, ExplorationEvent(.worker, .isKilled))
  }

  /// Nobody is there any more.
  func end(_ world: inout ModelWorld) {
    world.worker = WorkerBook.gone
    world.ownRecovery = RecoveryBook.none
    world.release(ModelImage.Holder.worker)
  }

  /// The process ends where the worker has ended.
  private func ended(_ world: ModelWorld) -> ModelWorld {
    guard workers[world.worker].ending != nil else { return world }
    var next = world
    end(&next)
    return next
  }

  private func preparationSteps(_ world: ModelWorld) {
    for index in 0..<scenario.memberCount {
      let image = world[index]
      guard image.isFree, !image.isAway, image.cache.isPlain else { continue }
      var next = world
      var prepared = image
      prepared.holder = ModelImage.Holder.worker
      prepared.data = ModelImage.Data.cached
      prepared.isStale = false
      prepared.foreignTree = 0
      prepared.preparedBits = image.cache.preparedBits
      next[index] = prepared
      if next.first.holder == ModelImage.Holder.worker,
        scenario.memberCount == 1 || next.second.holder == ModelImage.Holder.worker
      {
        next.worker = workers.start
      }
      reach(next, ExplorationEvent(.worker, .prepares, index))
    }
  }

  // MARK: Its actions

  private func perform(_ action: CommitWorker.Action, _ number: Int, _ world: ModelWorld) {
    switch action {
    case .flush(let image): synchronize(image, .flushes, number, world)
    case .synchronize(let image): synchronize(image, .synchronizes, number, world)
    case .write(let sector, let image): write(sector, image, number, world)
    case .giveBack(let image):
      var next = world
      next[image].data = ModelImage.Data.none
      succeed(number, next, ExplorationEvent(.worker, .givesBack, image))
    case .writeIntent: enterIntent(number, world)
    case .writeRecord: enterDecision(.record, number, world)
    case .writeUndone: enterDecision(.undone, number, world)
    case .settle: settleByWorker(number, world)
    case .recover: ownRecoverySteps(world)
    }
  }

  private func succeed(_ number: Int, _ world: ModelWorld, _ event: ExplorationEvent) {
    var next = world
    next.worker = workers.after(world.worker, number, .succeeded)
    reach(ended(next), event)
  }

  private func fail(
    _ number: Int, _ world: ModelWorld, _ event: ExplorationEvent, leavesTrace: Bool
  ) {
    var next = world
    next.failures += 1
    next.worker = workers.after(
      world.worker, number, leavesTrace ? .failed : .failedWithoutTrace)
    reach(ended(next), event)
  }

  private func synchronize(
    _ image: Int, _ name: ExplorationEvent.Name, _ number: Int, _ world: ModelWorld
  ) {
    var next = world
    next[image].synchronize()
    succeed(number, next, ExplorationEvent(.worker, name, image))
    guard world.failures < scenario.failures else { return }
    for isWritten in [false, true] {
      var next = world
      next[image].synchronizeInVain(isWritten: isWritten)
      fail(
        number, next, ExplorationEvent(.worker, name, image, isWritten ? .failsLate : .fails),
        leavesTrace: true)
    }
  }

  private func write(
    _ sector: CommitTables.Sector, _ image: Int, _ number: Int, _ world: ModelWorld
  ) {
    var next = world
    put(sector, at: image, of: image, by: ModelImage.Holder.worker, in: &next)
    let name = Self.event(of: sector)
    succeed(number, next, ExplorationEvent(.worker, name, image))
    guard world.failures < scenario.failures else { return }
    fail(number, world, ExplorationEvent(.worker, name, image, .fails), leavesTrace: false)
    put(sector, at: image, of: image, by: ModelImage.Holder.worker, in: &next)
    fail(number, next, ExplorationEvent(.worker, name, image, .failsLate), leavesTrace: true)
  }

  static func event(of sector: CommitTables.Sector) -> ExplorationEvent.Name {
    switch sector {
    case .before: .writesBefore
    case .fenced: .writesFence
    case .after: .writesAfter
    case .afterFenced: .writesAfterFence
    }
  }

  // MARK: The catalog

  private func enterIntent(_ number: Int, _ world: ModelWorld) {
    if scenario.securesBeforeIntent, !logs[world.log].isClean {
      let outcomes = logs.restart(world.log)
      var next = world
      next.log = outcomes.done
      reach(next, ExplorationEvent(.worker, .secures))
      failures(of: outcomes, .secures, number, world, leavesTrace: false)
      return
    }
    commit(.intent, .entersIntent, number, world)
  }

  private func enterDecision(
    _ decision: CommitDecision, _ number: Int, _ world: ModelWorld
  ) {
    let row = logs.row(world.log)
    let name: ExplorationEvent.Name = decision == .record ? .entersRecord : .entersUndone
    if let other = row.decision, other != decision {
      var next = world
      next.worker = workers.after(world.worker, number, .failedWithoutTrace)
      reach(ended(next), ExplorationEvent(.worker, name, 15, .fails))
    } else if decision == .record {
      commit(row.decided(.record), name, number, world)
    } else if row.exists {
      // Nothing is left to do then: every image has its old sector, durably.
      let all = UInt8(1) << scenario.memberCount - 1
      commit(settled(row, .undone, all), name, number, world)
    } else {
      // There is nothing that could be marked.
      succeed(number, world, ExplorationEvent(.worker, name))
    }
  }

  private func settleByWorker(_ number: Int, _ world: ModelWorld) {
    let all = UInt8(1) << scenario.memberCount - 1
    let row = settled(logs.row(world.log), .record, all)
    commit(row, .settles, number, world)
    // Its jobs' conclusion, which comes behind it, makes it durable.
    var next = world
    next.log = logs.commit(row, to: world.log).listed
    end(&next)
    reach(next, ExplorationEvent(.worker, .settles, 15, .killed))
  }

  private func commit(
    _ row: ModelRow, _ name: ExplorationEvent.Name, _ number: Int, _ world: ModelWorld
  ) {
    let outcomes = logs.commit(row, to: world.log)
    var next = world
    next.log = outcomes.done
    succeed(number, next, ExplorationEvent(.worker, name))
    failures(of: outcomes, name, number, world, leavesTrace: true)
    if world.failures < scenario.failures {
      fail(number, world, ExplorationEvent(.worker, name, 15, .fails), leavesTrace: false)
    }
  }

  private func failures(
    of outcomes: LogBook.Outcomes, _ name: ExplorationEvent.Name, _ number: Int,
    _ world: ModelWorld, leavesTrace: Bool
  ) {
    for log in outcomes.killed {
      var next = world
      next.log = log
      end(&next)
      reach(next, ExplorationEvent(.worker, name, 15, .killed))
    }
    guard world.failures < scenario.failures else { return }
    for log in outcomes.failed {
      var next = world
      next.log = log
      fail(
        number, next, ExplorationEvent(.worker, name, 15, .failsLate), leavesTrace: leavesTrace)
    }
  }

  // MARK: Its own recovery

  private func ownRecoverySteps(_ world: ModelWorld) {
    var next = world
    if next.ownRecovery == RecoveryBook.none { next.ownRecovery = recoveries.start }
    recover(next, .worker)
  }

  /// The worker's own recovery has come to an end, or goes on.
  func ownRecoveryEnded(_ world: ModelWorld) -> ModelWorld {
    guard case .over = recoveries[world.ownRecovery].step else { return world }
    let result: WorkerBook.Recovered =
      switch recoveries[world.ownRecovery].ending {
      case .settled(.record): .committed
      case .settled: .rolledBack
      default: .inDoubt
      }
    var next = world
    next.ownRecovery = RecoveryBook.none
    next.worker = workers.recovered(world.worker, result)
    return ended(next)
  }
}
