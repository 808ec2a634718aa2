/// What a repair mends (`qemu-img check -r`).
public enum RepairScope: String, Sendable, Hashable, CaseIterable {
  /// Clusters that are counted as used more often than they are.
  case leaks
  /// Refcounts, COPIED flags, snapshot entries, and the marks that call the image dirty or corrupt.
  case all
}

extension Image {
  /// Repairs the image's metadata.
  ///
  /// As with every change the image stays as it is until one write of the first sector. New refcounts
  /// are written in full, COPIED flags follow them. Entries that lead nowhere are left as they are:
  /// nobody knows what they led to. If tables cannot be followed, no count is lowered.
  ///
  /// The dirty and the corrupt bit go when nothing is left that is wrong.
  ///
  /// - Parameters:
  ///   - scope: what to mend.
  ///   - commit: the fresh id of this change.
  ///   - catalog: the catalog in whose name it is made.
  ///   - checkpoint: told of progress; what it throws ends the work.
  /// - Returns: what a check finds afterwards, with ``CheckReport/leaksFixed`` and
  ///   ``CheckReport/corruptionsFixed``.
  /// - Throws: ``Qcow2Error`` with the path, or what the checkpoint throws; the image is as it was then,
  ///   but for a mark.
  /// - Precondition: the image was opened for ``Purpose/repair``.
  public func repair(
    _ scope: RepairScope, commit: CommitID, catalog: CatalogID,
    _ checkpoint: @escaping Checkpoint = { _ in }
  ) throws -> CheckReport {
    precondition(purpose == .repair, "an image is repaired under its write locks")
    do {
      let check = try ImageCheck(self, checkpoint)
      try check.admit(scope)
      guard check.hasWork(for: scope) else { return check.report }
      if let obstacle = check.obstacleToRepair {
        var report = check.report
        report.messages.append("Nothing was repaired: \(obstacle)")
        return report
      }
      var draft = try ImageDraft(repairing: self, check, scope)
      try draft.settle(checkpoint)
      let prepared = try draft.prepare(commit: commit, catalog: catalog, checkpoint)
      try prepared.publish()
      try prepared.finish()

      var report = try ImageCheck(try reloaded(), checkpoint).report
      report.leaksFixed = max(0, check.report.leaks - report.leaks)
      report.corruptionsFixed = max(0, check.report.corruptions - report.corruptions)
      return report
    } catch let error as Qcow2Error {
      throw error.in(path)
    }
  }
}

extension ImageCheck {
  /// Refuses what only ``RepairScope/all`` mends, where it keeps the image from being read.
  fileprivate func admit(_ scope: RepairScope) throws(Qcow2Error) {
    guard scope == .leaks,
      let index = image.table.entries.firstIndex(where: { $0.excessExtraByteCount > 0 })
    else { return }
    throw .overLimit(
      "Too much extra metadata in snapshot table entry \(index); "
        + "snapjob check --repair all removes it")
  }

  /// Whether a repair has something to do.
  fileprivate func hasWork(for scope: RepairScope) -> Bool {
    if !clearedFeatures(scope).isDisjoint(with: image.header.incompatible) { return true }
    let found = report.leaks > 0 || (report.checkErrors > 0 && findings.obstacle == nil)
    return scope == .leaks ? found : found || report.corruptions > 0
  }

  /// Why counting anew would do harm, or nothing; nil if it helps.
  fileprivate var obstacleToRepair: String? {
    if let obstacle = findings.obstacle, report.checkErrors > 0 { return obstacle }
    do {
      _ = try image.readActiveL1()
      return nil
    } catch {
      return error.message
    }
  }

  /// How counts change.
  fileprivate func rule(for scope: RepairScope) -> RecountRule {
    if scope == .leaks { return findings.obstacle == nil ? .lower : .raise }
    return findings.obstacle == nil ? .all : .raise
  }

  /// The feature bits that are not true any more after the repair.
  fileprivate func clearedFeatures(_ scope: RepairScope) -> IncompatibleFeatures {
    let isSound = scope == .all ? findings.firstLasting == nil : report.corruptions == 0
    return isSound && findings.obstacle == nil ? [.dirty, .corrupt] : []
  }
}

extension ImageDraft {
  /// Starts the draft of a repair.
  fileprivate init(
    repairing image: Image, _ check: ImageCheck, _ scope: RepairScope
  ) throws(Qcow2Error) {
    let isSound = check.findings.firstLasting == nil
    self.init(
      image, refcounts: try check.rebuiltRefcounts(check.rule(for: scope)),
      activeL1: try image.readActiveL1(),
      recount: Recount(
        clearedFeatures: check.clearedFeatures(scope),
        // Counts that are known to be too low must not make a flag true.
        correctsFlags: scope == .all || check.report.corruptions == 0))
    guard scope == .all else { return }
    table.dropExcessExtraData()
    table.completeDiskSizes(size)
    if isSound { dropVMStateOfActiveL1() }
  }
}
