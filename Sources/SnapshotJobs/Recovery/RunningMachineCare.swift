public import Jobs
internal import Qcow2

/// What recovery asks of a machine that has been started on the disks of an unfinished commit. Calls block.
public protocol RunningMachineCare: Sendable {
  /// The names of the snapshots on each of some disks, as the running machine tells of them.
  ///
  /// - Parameters:
  ///   - paths: the disks' files.
  ///   - machine: the machine's name.
  /// - Returns: the names in the order of the paths; nil if the machine does not run, or one of the files is
  ///   no disk that it can write to.
  /// - Throws: `JobError` if it cannot be asked.
  func snapshotNames(
    on paths: [String], ofMachine machine: String
  ) throws(JobError) -> [[String]]?

  /// Has the running machine remove a snapshot wherever it is on some of its disks.
  ///
  /// - Throws: `JobError` if it cannot; it may be gone from some of them.
  func removeSnapshot(
    _ tag: String, on paths: [String], ofMachine machine: String
  ) throws(JobError)
}

/// Rules 5 and 6 on disks that are out of reach because the machine itself runs on them: a plain save is taken
/// back where it is or found complete, a plain delete is completed where it is missing, through the machine.
///
/// A machine opens its disks for writing, so none of them can be published or taken back any more; the fence
/// keeps it from starting on those of all other jobs.
struct RunningMachineSettlement {
  let record: CommitRecord
  let machine: String
  let care: any RunningMachineCare
  let files: any FileAccess
  /// Whether nobody has settled the record meanwhile.
  let isOpen: () throws(JobError) -> Bool

  /// What is to be removed, and where.
  private struct Remedy {
    let tags: [String]
    let paths: [String]
    let outcome: RecordSettlement.Outcome
  }

  /// Settles the record.
  ///
  /// - Parameters:
  ///   - states: what is known of the images.
  ///   - dryRun: only say what would happen.
  /// - Returns: how it ended, for whoever closes the record; nil if the rules do not fit: then it waits.
  /// - Throws: `JobError` if the machine cannot be asked.
  func settle(_ states: [CommitState], dryRun: Bool) throws(JobError) -> RecordSettlement.Outcome? {
    let isHeld = states.allSatisfy {
      if case .outOfReach(let error) = $0 { error.kind == .inUse } else { false }
    }
    guard isHeld, record.nature != .other else { return nil }
    var published: [Bool] = []
    for image in record.images {
      guard let isPublished = image.isPublished(files) else { return nil }
      published.append(isPublished)
    }
    guard
      let names = try care.snapshotNames(on: record.images.map(\.path), ofMachine: machine),
      let remedy = remedy(published, names)
    else { return nil }
    if dryRun { return remedy.outcome }
    // Whoever has settled it may have let a user take a snapshot of that name since.
    guard try isOpen() else { return nil }
    for tag in remedy.tags where !remedy.paths.isEmpty {
      try care.removeSnapshot(tag, on: remedy.paths, ofMachine: machine)
    }
    return remedy.outcome
  }

  private func remedy(_ published: [Bool], _ names: [[String]]) -> Remedy? {
    func paths(_ isWanted: (Int) -> Bool) -> [String] {
      record.images.indices.filter(isWanted).map { record.images[$0].path }
    }
    func has(_ tag: String, _ index: Int) -> Bool {
      names[index].contains { $0.utf8.elementsEqual(tag.utf8) }
    }
    switch record.nature {
    case .plainSave(let tag):
      if published.indices.allSatisfy({ published[$0] && has(tag, $0) }) {
        return Remedy(
          tags: [], paths: [],
          outcome: .done("The job was complete on every disk; it is concluded."))
      }
      return Remedy(
        // Only a published disk can have this job's snapshot; one of that name elsewhere is the user's.
        tags: [tag], paths: paths { published[$0] && has(tag, $0) },
        outcome: .undone(
          "The process ended in the middle of the commit and the machine was started since; it has "
            + "removed snapshot '\(tag)' from the disks that had it."))
    case .plainDelete(let tags):
      let rest = tags.filter { tag in names.indices.contains { has(tag, $0) } }
      return Remedy(
        tags: rest, paths: paths { index in rest.contains { has($0, index) } },
        outcome: .done("The running machine has completed the delete where it was missing."))
    case .deviceState:
      // The marks are all that there is, and a guest that runs has outdated the state.
      return Remedy(
        tags: [], paths: [],
        outcome: .undone(
          "The process ended in the middle of the commit and the machine was started since; the device "
            + "state was not taken over."))
    case .other: return nil
    }
  }
}

extension ImageCommit {
  /// Whether the image has the new state, or has had it before others wrote; nil if it is not the image that
  /// was prepared, or cannot be looked at.
  fileprivate func isPublished(_ files: any FileAccess) -> Bool? {
    guard let image = try? Image.open(path, for: .peek, access: files),
      bootID != Boot.id || image.identity == identity
    else { return nil }
    let id = FirstSector(onDisk: after).marks?.last
    if let id, image.marks.last == id { return true }
    let marks = FirstSector(onDisk: before).marks
    return image.marks.last == marks?.last && image.marks.pending == marks?.pending ? false : nil
  }
}
