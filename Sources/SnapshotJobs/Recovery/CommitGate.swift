import FileNames
internal import Jobs
internal import Qcow2

/// Stands before the images of commits that are not finished: finishes them where that can be done, and says
/// in one way what keeps them from being used where it cannot.
struct CommitGate {
  let log: any CommitLog
  let files: any FileAccess

  // MARK: Those who change images

  /// Finishes the commits that concern some images, before these are locked.
  ///
  /// - Throws: `JobError` that says what keeps a commit open.
  func finish(concerning paths: [String]) throws(JobError) {
    for row in try log.unsettledCommits() {
      guard row.intent.members.contains(where: { paths.contains(where: $0.path.hasSameBytes) })
      else { continue }
      try finish(row)
    }
  }

  /// Refuses images that belong to a commit which is not finished, by whatever path; they are locked by the
  /// caller.
  func check(_ images: [Image]) throws(JobError) {
    for row in try log.unsettledCommits() {
      for member in row.intent.members {
        guard let file = try? SectorFile(opening: member.path, .peek, access: files),
          images.contains(where: { $0.identity == file.identity })
        else { continue }
        throw JobError(
          .inUse,
          "\(member.node): \(member.path) belongs to a commit that is not finished. Try again, or see: "
            + "\(NextStep("recover"))")
      }
    }
  }

  private func finish(_ row: CommitRow) throws(JobError) {
    let result = try CommitRecovery(row.intent.id, log: log, files: files).run()
    // A living process holds its images; who wants them learns it from their locks.
    if result.ending == .busy { return }
    if let obstacle = CommitReport(row, result.outcomes).obstacle(result.ending, result.failure) {
      throw obstacle
    }
  }

  /// Takes a fence away that was met.
  ///
  /// - Parameters:
  ///   - fence: whose it is.
  ///   - path: the image.
  /// - Throws: `JobError` if that cannot be done.
  func resolve(_ fence: FenceMark, at path: String) throws(JobError) {
    guard fence.catalog == log.catalogID, let row = try log.commit(fence.commit) else {
      throw Self.foreign(fence, path)
    }
    if !row.isSettled {
      let result = try CommitRecovery(fence.commit, log: log, files: files).run()
      let obstacle = CommitReport(row, result.outcomes).obstacle(result.ending, result.failure)
      if result.ending == .busy || result.ending == .failed, let obstacle { throw obstacle }
    }
    guard let decided = try log.commit(fence.commit), let decision = decided.decision else {
      throw JobError(
        .inUse, "\(path): the commit on it is not decided. Try again: \(NextStep("recover"))")
    }
    try log.makeDecisionsDurable()
    do throws(Qcow2Error) {
      let file = try SectorFile(opening: path, .write, access: files)
      defer { file.unlock() }
      guard let sector = try file.read(), sector.fenceMark != nil else { return }
      guard let target = decided.intent.target(of: sector, decision) else {
        throw .conflict("its fence is not as it was written; restore the image from a copy")
      }
      try file.write(target)
      try file.synchronize()
    } catch {
      throw JobError(error.in(path))
    }
    try confirm(fence, metAt: path, in: decided)
  }

  /// The image was met at the member's own place, or under another name while there is nothing at that place: it is
  /// the member. A copy beside it confirms nothing.
  private func confirm(
    _ fence: FenceMark, metAt path: String, in row: CommitRow
  ) throws(JobError) {
    var found = row.intent.members.firstIndex { $0.path.hasSameBytes(as: path) }
    if found == nil, row.intent.members.indices.contains(fence.member) {
      do throws(Qcow2Error) {
        _ = try SectorFile(opening: row.intent.members[fence.member].path, .peek, access: files)
      } catch {
        if error.code == .notFound { found = fence.member }
      }
    }
    if let found { try log.confirm([found], of: row.intent.id) }
  }

  // MARK: Those who look

  /// The fence of an image, seen without its lock; nil if there is none, or nothing that can be read.
  func fence(at path: String) -> FenceMark? {
    guard let file = try? SectorFile(opening: path, .peek, access: files) else { return nil }
    return (try? file.read())?.fenceMark
  }

  /// Whether a fence is of a commit that this catalog knows of.
  func knows(_ fence: FenceMark) throws(JobError) -> Bool {
    guard fence.catalog == log.catalogID else { return false }
    return try log.commit(fence.commit) != nil
  }

  /// What to tell whoever could not read some images; nil if none of them has a fence.
  func refusal(concerning paths: [String]) -> JobError? {
    for path in paths {
      guard let fence = fence(at: path) else { continue }
      guard fence.catalog == log.catalogID, let row = try? log.commit(fence.commit) else {
        return Self.foreign(fence, path)
      }
      return JobError(
        .inUse,
        "\(path): a commit over \(fence.memberCount) disks is pending on it (process \(row.workerPID)). To "
          + "finish it: \(NextStep("recover"))")
    }
    return nil
  }

  private static func foreign(_ fence: FenceMark, _ path: String) -> JobError {
    JobError(.commitPending(fence, path: path))
  }
}

extension CommitIntent {
  /// What takes the place of a fence of this commit.
  fileprivate func target(of sector: FirstSector, _ decision: CommitDecision) -> FirstSector? {
    for member in members {
      if sector == member.sectors.afterFenced { return member.sectors.after }
      if sector == member.sectors.fenced {
        return decision == .record && members.count > 1
          ? member.sectors.after : member.sectors.before
      }
    }
    return nil
  }
}
