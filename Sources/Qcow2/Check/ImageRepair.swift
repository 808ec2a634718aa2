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
      let first = try ImageCheck(self, checkpoint)
      try first.admit(scope)
      var last = first
      // Where a table and data share a cluster, the copy that parts them changes counts again.
      for _ in 0..<Self.passes where last.hasWork(for: scope) {
        var draft = try ImageDraft(repairing: last.image, last, scope)
        try draft.settle(checkpoint)
        let prepared = try draft.prepare(commit: commit, catalog: catalog, checkpoint)
        try prepared.publish()
        try prepared.finish()
        last = try ImageCheck(try last.image.reloaded(), checkpoint)
      }
      var report = last.report
      report.leaksFixed = max(0, first.report.leaks - report.leaks)
      report.corruptionsFixed = max(0, first.report.corruptions - report.corruptions)
      return report
    } catch let error as Qcow2Error {
      throw error.in(path)
    }
  }

  /// How often a repair is gone on with while there is something left for it.
  private static var passes: Int { 3 }
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
    // What bitmaps lead to is unknown if one of them is not valid; qemu-img does not open such an image.
    if report.checkErrors > 0, findings.obstacle != nil { return false }
    if !clearedFeatures(scope).isDisjoint(with: image.header.incompatible) { return true }
    if report.checkErrors > 0 { return true }
    if correctsFlags(scope), findings.wrongFlagCount > 0 { return true }
    switch scope {
    case .leaks: return findings.obstacle == nil && report.leaks > 0
    case .all: return findings.mendableCount > 0 || (findings.obstacle == nil && report.leaks > 0)
    }
  }

  /// How counts change: if there are clusters that nobody can count, none is given back.
  fileprivate func rule(for scope: RepairScope) -> RecountRule {
    if findings.obstacle != nil { return .raise }
    return scope == .leaks ? .lower : .all
  }

  /// Whether COPIED flags are set to what the new counts say: not if those are known to be too low, and
  /// not in an L1 table that has entries which would have to be left out.
  fileprivate func correctsFlags(_ scope: RepairScope) -> Bool {
    findings.obstacle == nil
      && (scope == .all || report.corruptions == findings.wrongFlagCount)
  }

  /// The feature bits that are not true any more after the repair.
  fileprivate func clearedFeatures(_ scope: RepairScope) -> IncompatibleFeatures {
    let isSound =
      scope == .all
      ? findings.firstLasting == nil : report.corruptions == findings.wrongFlagCount
    return isSound ? [.dirty, .corrupt] : []
  }
}

extension ImageDraft {
  /// Starts the draft of a repair.
  fileprivate init(
    repairing image: Image, _ check: ImageCheck, _ scope: RepairScope
  ) throws(Qcow2Error) {
    self.init(
      image, refcounts: try check.rebuiltRefcounts(check.rule(for: scope)),
      activeL1: try image.readActiveL1Unchecked(),
      recount: Recount(
        clearedFeatures: check.clearedFeatures(scope),
        correctsFlags: check.correctsFlags(scope)))
    guard scope == .all, check.findings.obstacle == nil else { return }
    table.dropExcessExtraData()
    table.completeDiskSizes(size)
    if check.findings.firstLasting == nil { dropVMStateOfActiveL1() }
  }
}
