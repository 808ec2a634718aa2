@testable import SnapshotJobs

extension Exploration {
  // MARK: Guests and tools

  /// A guest, or a tool that honours locks and feature bits, writes data, or data and header, and flushes.
  func guestSteps(_ world: ModelWorld) {
    for index in 0..<scenario.memberCount where world[index].isOpenable {
      let image = world[index]
      let usesPrepared =
        !image.cache.hasX && image.data != ModelImage.Data.none && !image.isStale
      if usesPrepared || image.foreignTree != image.cache.tree + 1 {
        reach(
          written(world, index, changesHeader: false), ExplorationEvent(.guest, .writes, index))
      }
      if !image.cache.isEdited {
        reach(
          written(world, index, changesHeader: true),
          ExplorationEvent(.guest, .writesHeader, index))
      }
    }
  }

  private func written(
    _ world: ModelWorld, _ index: Int, changesHeader: Bool
  ) -> ModelWorld {
    var next = world
    var image = world[index]
    if !image.cache.hasX, image.data != ModelImage.Data.none { image.isStale = true }
    image.foreignTree = image.cache.tree + 1
    if changesHeader { image.write(image.cache.edited) }
    image.synchronize()
    next[index] = image
    return next
  }

  // MARK: The second catalog

  /// Its commit Y on the first image: prepared, fenced, recorded, published.
  func otherCatalogSteps(_ world: ModelWorld) {
    let image = world.first
    var next = world
    switch world.otherStep {
    case 0:
      guard image.isFree, !image.isAway else { return }
      if image.cache.isFencedByY {
        recoverOtherCatalog(&next)
        reach(next, ExplorationEvent(.otherCatalog, .recovers, 0))
      } else if image.cache.isPlain, world.otherEntry == ModelWorld.OtherEntry.none {
        next.first.holder = ModelImage.Holder.otherCatalog
        if !image.cache.hasX, image.data != ModelImage.Data.none { next.first.isStale = true }
        next.otherStep = 1
        reach(next, ExplorationEvent(.otherCatalog, .prepares, 0))
      }
      return
    case 1:
      next.otherEntry = ModelWorld.OtherEntry.intent
      writeDurably(image.cache.fencedByY, &next)
      next.first.foreignTree = 0
      next.otherStep = 2
      reach(next, ExplorationEvent(.otherCatalog, .writesFence, 0))
    case 2:
      next.otherEntry = ModelWorld.OtherEntry.record
      next.otherStep = 3
      reach(next, ExplorationEvent(.otherCatalog, .entersRecord))
    case 3:
      writeDurably(image.cache.afterY(keepsOthers: scenario.keepsOthersMark), &next)
      next.otherStep = 4
      reach(next, ExplorationEvent(.otherCatalog, .writesAfter, 0))
    default:
      next.otherEntry = ModelWorld.OtherEntry.settled
      endOtherCatalog(&next)
      reach(next, ExplorationEvent(.otherCatalog, .settles))
      return
    }
    next = world
    endOtherCatalog(&next)
    reach(next, ExplorationEvent(.otherCatalog, .isKilled))
  }

  private func endOtherCatalog(_ world: inout ModelWorld) {
    world.otherStep = 0
    world.release(ModelImage.Holder.otherCatalog)
  }

  private func writeDurably(_ sector: ModelSector, _ world: inout ModelWorld) {
    world.first.write(sector)
    world.first.synchronize()
  }

  /// Its recovery takes its fence away.
  func recoverOtherCatalog(_ world: inout ModelWorld) {
    let sector = world.first.cache
    guard sector.isFencedByY else { return }
    if world.otherEntry == ModelWorld.OtherEntry.record {
      writeDurably(sector.afterY(keepsOthers: scenario.keepsOthersMark), &world)
      world.otherEntry = ModelWorld.OtherEntry.settled
    } else {
      writeDurably(sector.unfenced, &world)
      world.otherEntry = ModelWorld.OtherEntry.none
    }
  }

  // MARK: Page cache, and places

  /// Clean pages that are not on the disk are dropped.
  func cacheSteps(_ world: ModelWorld) {
    for index in 0..<scenario.memberCount {
      let image = world[index]
      let isAtRest = image.isFree || image.holder == ModelImage.Holder.somebody
      if !image.isDirty, image.cache != image.disk, isAtRest {
        var next = world
        next[index].cache = image.disk
        reach(next, ExplorationEvent(.kernel, .dropsSector, index))
      }
      if image.data == ModelImage.Data.lost {
        var next = world
        next[index].data = ModelImage.Data.none
        reach(next, ExplorationEvent(.kernel, .dropsData, index))
      }
    }
  }

  /// The last image goes and comes back, or is held by somebody; the catalog is opened anew.
  func placeSteps(_ world: ModelWorld) {
    let last = scenario.memberCount - 1
    let image = world[last]
    var next = world
    if image.isAway {
      next[last].isAway = false
      reach(next, ExplorationEvent(.disk, .comesBack, last))
    } else if image.holder == ModelImage.Holder.somebody {
      next[last].holder = ModelImage.Holder.nobody
      reach(next, ExplorationEvent(.somebody, .letsGo, last))
    } else if image.isFree {
      if scenario.mayBeAway, !image.isDirty, image.cache == image.disk {
        next[last].isAway = true
        reach(next, ExplorationEvent(.disk, .goesAway, last))
        next = world
      }
      if scenario.mayBeHeld {
        next[last].holder = ModelImage.Holder.somebody
        reach(next, ExplorationEvent(.somebody, .opens, last))
      }
    }
    guard scenario.rebuildsIndex, world.worker == WorkerBook.gone,
      world.recovery0 == RecoveryBook.none, world.recovery1 == RecoveryBook.none
    else { return }
    for log in logs.rebuild(world.log) {
      var next = world
      next.log = log
      reach(next, ExplorationEvent(.catalog, .rebuildsIndex))
    }
  }

  // MARK: Faults and force

  /// Everybody ends; each dirty sector, each image's data and any dirty frames of the log are kept or lost.
  func powerLossSteps(_ world: ModelWorld) {
    var ended = world
    ended.powerLosses += 1
    ended.recovery0 = RecoveryBook.none
    ended.recovery1 = RecoveryBook.none
    ended.otherStep = 0
    if world.worker != WorkerBook.preparing
      || world.first.holder == ModelImage.Holder.worker
      || world.second.holder == ModelImage.Holder.worker
    {
      end(&ended)
    }
    let logs = logs.losePower(world.log)
    for choice in 0..<(scenario.memberCount == 1 ? 4 : 16) {
      guard isChoice(choice & 3, world.first), isChoice(choice >> 2, world.second) else {
        continue
      }
      var next = ended
      next.first.losePower(keepsSector: choice & 1 != 0, keepsData: choice & 2 != 0)
      next.second.losePower(keepsSector: choice & 4 != 0, keepsData: choice & 8 != 0)
      for log in logs {
        next.log = log
        reach(next, ExplorationEvent(.disk, .losesPower))
      }
    }
  }

  /// Whether a choice of what is kept differs from those before it.
  private func isChoice(_ choice: Int, _ image: ModelImage) -> Bool {
    let hasSector = image.isDirty && image.cache != image.disk
    let hasData = image.data == ModelImage.Data.cached
    return (hasSector || choice & 1 == 0) && (hasData || choice & 2 == 0)
  }

  /// What users do by force.
  func forceSteps(_ world: ModelWorld) {
    guard world.worker == WorkerBook.gone else { return }
    if scenario.swapsNames, !world.isSwapped, world.first.isFree, world.second.isFree {
      var next = world
      next.isSwapped = true
      reach(next, ExplorationEvent(.user, .swapsNames))
    }
    if scenario.restoresCatalog, !world.isCatalogRestored,
      world.recovery0 == RecoveryBook.none, world.recovery1 == RecoveryBook.none,
      logs.row(world.log).decision == .record
    {
      var next = world
      next.isCatalogRestored = true
      next.log = logs.number(of: ModelLog(.intent))
      reach(next, ExplorationEvent(.user, .restoresCatalog))
    }
  }
}
