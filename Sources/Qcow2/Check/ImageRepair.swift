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
  /// are written in full, COPIED flags follow them. What lies beyond the disk's end stays.
  ///
  /// Where an entry or a table leads nowhere, nobody knows what it has led to. Any cluster that seems to be
  /// free may be that, so nothing is repaired then; and with ``RepairScope/leaks`` nothing where more is
  /// wrong than leaks and flags. The report says so. The dirty bit goes with any repair, the corrupt bit with
  /// ``RepairScope/all`` only.
  ///
  /// - Parameters:
  ///   - scope: what to mend.
  ///   - checkpoint: told the bytes that were read or written, of all passes; what it throws ends the work.
  ///   - foresee: told the bytes of tables that the first check will read.
  ///   - commit: makes a prepared image permanent and gives its space back; called for each pass.
  /// - Returns: what a check finds afterwards, with ``CheckReport/leaksFixed`` and
  ///   ``CheckReport/corruptionsFixed``.
  /// - Throws: ``Qcow2Error`` with the path, or what the checkpoint or the commit throws; the image is as it was
  ///   then, or as an earlier pass has left it.
  /// - Precondition: the image was opened for ``Purpose/repair``.
  public func repair(
    _ scope: RepairScope, _ checkpoint: @escaping Checkpoint = { _ in },
    foresee: @escaping (Int64) -> Void = { _ in }, commit: (PreparedImage) throws -> Void
  ) throws -> CheckReport {
    precondition(purpose == .repair, "an image is repaired under its write locks")
    do {
      let first = try ImageCheck(self, checkpoint, foresee: foresee)
      try first.admit(scope)
      var last = first
      // Where a table and data share a cluster, the copy that parts them changes counts again.
      for _ in 0..<Self.passes where last.hasWork(for: scope) {
        var draft = try ImageDraft(repairing: last.image, last, scope)
        try draft.settle(checkpoint)
        try commit(try draft.prepare(checkpoint))
        last = try ImageCheck(try last.image.reloaded(), checkpoint)
      }
      var report = last.report
      if let obstacle = first.obstacle(to: scope) {
        report.remarks.append(
          .init("Nothing was repaired: \(obstacle)", first.canRepairAll ? .repair : nil))
      }
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
    throw .tooMuchExtraData(ofSnapshotEntry: index)
  }

  /// Whether a repair of ``RepairScope/all`` would do no harm.
  fileprivate var canRepairAll: Bool { findings.firstLasting == nil }

  /// Why a repair would do harm; nil if it would not.
  fileprivate func obstacle(to scope: RepairScope) -> String? {
    if let lasting = findings.firstLasting {
      return
        "what a broken entry has led to may be in any cluster that seems to be free (\(lasting)). "
        + "Restore the image from a backup; or copy it, and give that up with: qemu-img check -r all"
    }
    let hasMore = report.corruptions > findings.wrongFlagCount || report.checkErrors > 0
    return scope == .leaks && hasMore
      ? "more than leaks is wrong" : nil
  }

  /// Whether a repair has something to do, and does no harm.
  fileprivate func hasWork(for scope: RepairScope) -> Bool {
    guard obstacle(to: scope) == nil else { return false }
    return report.corruptions > 0 || report.leaks > 0 || report.checkErrors > 0
      || !scope.clearedFeatures.isDisjoint(with: image.header.incompatible)
  }
}

extension RepairScope {
  /// The feature bits that are not true any more after the repair.
  fileprivate var clearedFeatures: IncompatibleFeatures {
    self == .all ? [.dirty, .corrupt] : .dirty
  }
}

extension ImageDraft {
  /// Starts the draft of a repair.
  fileprivate init(
    repairing image: Image, _ check: ImageCheck, _ scope: RepairScope
  ) throws(Qcow2Error) {
    self.init(
      image, refcounts: try check.rebuiltRefcounts(), activeL1: try image.readActiveL1(),
      recount: Recount(clearedFeatures: scope.clearedFeatures))
    table.dropExcessExtraData()
    table.completeDiskSizes(size)
  }
}
