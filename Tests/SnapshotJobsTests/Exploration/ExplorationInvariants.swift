@testable import SnapshotJobs

extension Exploration {
  /// Something must not have happened.
  func fail(_ problem: String) { if self.problem == nil { self.problem = problem } }

  // MARK: Writes

  /// Writes a sector of a member over an image; only over the sectors that this member knows.
  func put(
    _ sector: CommitTables.Sector, at index: Int, of source: Int, by holder: UInt8,
    in world: inout ModelWorld
  ) {
    let image = world[index]
    if image.holder != holder { fail("a sector was written without the image's lock") }
    if source != index { fail("a sector of another member was written") }
    let isOld = image.cache == image.before || image.cache == image.before.fencedByX
    let isNew = image.cache == image.after || image.cache == image.after.fencedByX
    if !isOld, !isNew { fail("X overwrote what another program did to a first sector") }
    if isNew, sector == .before || sector == .fenced { fail("X's new state was taken back") }
    if sector == .after || sector == .afterFenced {
      if image.isStale { fail("X's new state was written over an image that others wrote to") }
      if image.data == ModelImage.Data.none { fail("X was published without its data") }
    }
    world[index].write(bytes(of: sector, source, world))
  }

  private func bytes(
    of sector: CommitTables.Sector, _ member: Int, _ world: ModelWorld
  ) -> ModelSector {
    let image = world[member]
    return switch sector {
    case .before: image.before
    case .fenced where scenario.leavesFirstUnfenced && member == 0: image.before
    case .fenced: image.before.fencedByX
    case .after: image.after
    case .afterFenced: image.after.fencedByX
    }
  }

  /// Writes the sector that is there again.
  func rewrite(_ index: Int, by holder: UInt8, in world: inout ModelWorld) {
    if world[index].holder != holder { fail("a sector was written without the image's lock") }
    world[index].write(world[index].cache)
  }

  /// No history without force lets a recovery of several images find what it can only tell.
  func checkTold(_ world: ModelWorld, _ who: Recoverer) {
    let entry = recoveries[id(world, who)]
    guard entry.told != nil else { return }
    fail(
      entry.decision == .record
        ? "an image is plain though X is recorded" : "an image is published though X is undone")
  }

  // MARK: Every state

  /// What programs can open is wholly old or wholly new, with all that others have written; disks that can all
  /// be opened are all old or all new.
  func check(_ world: ModelWorld) {
    var openable = 0
    var new = 0
    for index in 0..<scenario.memberCount {
      let image = world[index]
      if image.isOpenable { openable += 1 }
      if image.cache.hasX { new += 1 }
      guard image.cache.isPlain else { continue }
      if image.foreignTree != 0, image.foreignTree != image.cache.tree + 1 {
        fail("a durable write of another program is not in the visible tree")
      }
      if image.cache.hasX, image.data == ModelImage.Data.none {
        fail("an image can be opened whose data are lost")
      }
    }
    if openable == scenario.memberCount, new != 0, new != scenario.memberCount {
      fail("a guest can start on a mixed set")
    }
  }

  // MARK: The end

  /// A row with nothing left to do; none where it is forgotten then.
  func settled(
    _ row: ModelRow, _ decision: CommitDecision, _ confirmed: UInt8
  ) -> ModelRow {
    let settled = row.settled(decision, confirmed: confirmed)
    return scenario.prunes && !isWorthRecovering(settled) ? .none : settled
  }

  /// Whether nobody is at work on the commit. A state in which somebody is has one after it in which they
  /// were killed.
  func isQuiet(_ world: ModelWorld) -> Bool {
    (world.worker == WorkerBook.gone || world.worker == WorkerBook.preparing)
      && world.recovery0 == RecoveryBook.none && world.recovery1 == RecoveryBook.none
      && world.otherStep == 0 && world.first.holder != ModelImage.Holder.worker
      && world.second.holder != ModelImage.Holder.worker
  }

  /// Recoveries without faults bring everything to its end: what is within reach at once, the rest when it is
  /// within reach again.
  func settle(_ world: ModelWorld) {
    guard settled.insert(endKey(world), from: 0, by: 0) else { return }
    var end = world
    for round in 0..<4 {
      if round == 2 { reachAll(&end) }
      if end.first.isFree, !end.first.isAway { recoverOtherCatalog(&end) }
      recoverFully(&end)
      if !scenario.prunes { resolveFences(&end) }
      for index in 0..<scenario.memberCount where end[index].isFree && !end[index].isAway {
        if round % 2 == 1, !end[index].cache.isPlain {
          fail("recovery leaves a fence on an image within reach")
        }
      }
      check(end)
      if problem != nil { return }
    }
    let row = logs.row(end.log)
    if row.exists, !row.isSettled { fail("recovery never ends") }
  }

  /// What the end depends on.
  private func endKey(_ world: ModelWorld) -> ModelWorld.Packed {
    var key = world
    key.powerLosses = 0
    key.failures = 0
    key.isInOpenChain = false
    return key.packed
  }

  private func reachAll(_ world: inout ModelWorld) {
    world.first.isAway = false
    world.second.isAway = false
    world.release(ModelImage.Holder.somebody)
  }

  /// A recovery in which nothing fails.
  private func recoverFully(_ world: inout ModelWorld) {
    guard isWorthRecovering(logs.row(world.log)) else { return }
    world.recovery0 = recoveries.start
    for _ in 0..<100 where world.recovery0 != RecoveryBook.none {
      let entry = recoveries[world.recovery0]
      let row = logs.row(world.log)
      switch entry.step {
      case .over: release(.first, &world)
      case .note:
        world.log = logs.commit(row.confirming(entry.confirmed), to: world.log).done
        follow(.succeeded, &world, .first)
      case .take(let action):
        if isUnseen(action) {
          takeUnseen(action, &world, .first)
        } else {
          let report = take(action, entry, row, &world)
          follow(report, &world, .first)
        }
      }
    }
    if world.recovery0 != RecoveryBook.none { fail("recovery never ends") }
  }

  private func take(
    _ action: RecoveryWorker.Action, _ entry: RecoveryBook.Entry, _ row: ModelRow,
    _ world: inout ModelWorld
  ) -> RecoveryBook.Report {
    switch action {
    case .writeRecord: world.log = logs.commit(row.decided(.record), to: world.log).done
    case .writeUndone: world.log = logs.commit(row.decided(.undone), to: world.log).done
    case .secure:
      switch scenario.tables.decisionDurability {
      case .trusted: break
      case .fullCommit: world.log = logs.commit(row, to: world.log).done
      case .checkpoint:
        if scenario.checkpointRestarts { world.log = logs.restart(world.log).done }
      }
    case .write(let sector, let path, let source):
      put(
        sector, at: world.image(at: path), of: source, by: Recoverer.first.holder, in: &world)
    case .rewrite(let path):
      rewrite(world.image(at: path), by: Recoverer.first.holder, in: &world)
    case .synchronize(let path): world[world.image(at: path)].synchronize()
    case .settle(let decision):
      world.log =
        logs.commit(settled(row, decision, entry.confirmed), to: world.log).done
    case .lockWorker, .lock, .read, .peek, .look: break
    }
    return .succeeded
  }

  // MARK: Rows that are kept

  /// Fences that a settled row resolves go, on images within reach.
  private func resolveFences(_ world: inout ModelWorld) {
    for index in 0..<scenario.memberCount where canResolve(index, world) {
      world.log = logs.restart(world.log).done
      resolve(index, &world)
      world[index].synchronize()
      world[index].holder = ModelImage.Holder.nobody
    }
  }

  /// Whether an image has a fence that only a settled row can take away.
  private func canResolve(_ index: Int, _ world: ModelWorld) -> Bool {
    let row = logs.row(world.log)
    let image = world[index]
    return row.isSettled && !isWorthRecovering(row) && image.isFree && !image.isAway
      && image.cache.isFencedByX
  }

  private func resolve(_ index: Int, _ world: inout ModelWorld) {
    let isNew =
      scenario.memberCount == 1
      ? world[index].cache.hasX : logs.row(world.log).decision == .record
    world[index].holder = ModelImage.Holder.recovery
    put(
      isNew ? .after : .before, at: index, of: index, by: ModelImage.Holder.recovery, in: &world)
  }

  /// The next command that meets a fence of a settled commit takes it away: under the image's lock, so that
  /// nobody sees what is between its steps.
  func resolvingSteps(_ world: ModelWorld) {
    guard !scenario.prunes, world.worker == WorkerBook.gone else { return }
    for index in 0..<scenario.memberCount where canResolve(index, world) {
      var next = world
      if !logs[world.log].isClean {
        next.log = logs.restart(world.log).done
        reach(next, ExplorationEvent(.catalog, .secures))
        continue
      }
      resolve(index, &next)
      next[index].holder = ModelImage.Holder.nobody
      reach(next, ExplorationEvent(.user, .recovers, index, .killed))
      if world.failures < scenario.failures {
        var failed = next
        failed.failures += 1
        failed[index].synchronizeInVain(isWritten: false)
        reach(failed, ExplorationEvent(.user, .recovers, index, .fails))
      }
      next[index].synchronize()
      reach(next, ExplorationEvent(.user, .recovers, index))
    }
  }
}
