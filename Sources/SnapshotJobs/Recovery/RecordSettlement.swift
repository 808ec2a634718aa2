internal import Jobs
internal import Qcow2

/// Carries out what recovery has decided about one commit record.
struct RecordSettlement {
  /// How it ended.
  enum Outcome {
    /// The job is done on every image.
    case done(String)
    /// Nothing of the job is left; it concludes with an error.
    case undone(String)
    /// It stays as it is; changing commands on its images meet this error.
    case unsettled(JobError)

    var text: String {
      switch self {
      case .done(let text), .undone(let text): text
      case .unsettled(let error): error.message
      }
    }
    var isSettled: Bool { obstacle == nil }
    var obstacle: JobError? {
      if case .unsettled(let error) = self { error } else { nil }
    }
    var jobError: JobError? {
      if case .undone(let text) = self { JobError(.general, text) } else { nil }
    }
  }

  let record: CommitRecord
  let states: [CommitState]
  let log: any CommitLog
  let files: any FileAccess

  /// What would happen.
  func forecast(_ verdict: RecoveryVerdict, force: Recovery.Force?) -> Outcome {
    switch (verdict, force) {
    case (.forward, _): .done("The commit would be brought to its end on every disk.")
    case (.back, _): .undone("Every disk would go back to its state before the job.")
    case (.complete, _): .done("The job is complete on every disk and would be concluded.")
    case (.byJobs, _):
      switch record.nature {
      case .plainDelete: .done("The delete would be completed where it is missing.")
      case .deviceState: .undone("The device state would be given up.")
      case .plainSave, .other: .undone("The snapshot would be removed where it is.")
      }
    case (_, .forward?): .done("The job would be completed where it is missing.")
    case (_, .abandon?): .undone("The record would be closed.")
    case (.wait(let error), nil): .unsettled(waiting(error))
    case (.stuck, nil): .unsettled(stuck)
    }
  }

  /// Does it.
  ///
  /// - Throws: what went wrong; the record is open then, and the next start decides anew.
  func perform(
    _ verdict: RecoveryVerdict, force: Recovery.Force?, requests: [SnapshotRequest]
  ) throws -> Outcome {
    switch (verdict, force) {
    case (.forward, _): return try forward()
    case (.back, _): return try back()
    case (.complete, _):
      return try close(.done("The job was complete on every disk; it is concluded."))
    case (.byJobs, _): return try byJobs()
    case (.wait, .forward?), (.stuck, .forward?): return try forceForward(requests)
    case (.wait, .abandon?), (.stuck, .abandon?): return try abandon()
    case (.wait(let error), nil): return .unsettled(waiting(error))
    case (.stuck, nil): return .unsettled(stuck)
    }
  }

  /// How the commit is named in sentences; that of a command without a job has no name.
  private var label: String { record.jobs.first.map { "A commit (job \($0))" } ?? "A commit" }

  /// What closes the record whatever the disks are like.
  private var abandonCommand: String {
    guard let job = record.jobs.first else {
      return "snapjob recover --abandon --file \(record.images.first?.path ?? "FILE")"
    }
    return "snapjob recover \(job) --abandon"
  }

  private func waiting(_ error: JobError) -> JobError {
    JobError(
      .inUse,
      "\(label) waits for a disk: \(error.message). It goes on by itself when the disk is back; for a "
        + "disk that never returns: \(abandonCommand)")
  }

  private var stuck: JobError {
    let disks = zip(record.images, states).map { "\($0.node): \($1.description)" }
    var text =
      "\(label) was interrupted and another program has written since: "
      + "\(disks.joined(separator: "; ")). "
    if let job = record.jobs.first {
      text +=
        "Complete it where it is missing, losing what was written there: snapjob recover \(job) "
        + "--forward; or leave the disks as they are: \(abandonCommand)"
    } else {
      text += "Leave the disks as they are: \(abandonCommand); then give the command again"
    }
    return JobError(.conflict, text)
  }

  /// Closes the record.
  func close(_ outcome: Outcome) throws(JobError) -> Outcome {
    try close(record.id, outcome)
  }

  private func close(_ id: CommitID, _ outcome: Outcome) throws(JobError) -> Outcome {
    if case .done = outcome {
      try log.close(id, note: nil)
    } else {
      try log.close(id, note: outcome.text)
    }
    return outcome
  }

  private func targets(
    _ isWanted: (CommitState) -> Bool
  ) -> [CommitSteps.Target] {
    zip(record.images, states).compactMap { commit, state in
      guard isWanted(state), let image = state.image else { return nil }
      return CommitSteps.Target(
        image: image, before: FirstSector(onDisk: commit.before),
        after: FirstSector(onDisk: commit.after))
    }
  }

  // MARK: Rules 3 and 4

  private func forward() throws -> Outcome {
    let rest = targets { if case .ready = $0 { true } else { false } }
    try CommitSteps.publish(
      rest,
      fence: CommitSteps.needsFence(record.nature, imageCount: record.images.count))
    StagedStates.note(rest.compactMap(\.finished), in: log)
    return try close(.done("The commit was brought to its end on every disk."))
  }

  private func back() throws -> Outcome {
    try CommitSteps.takeBack(targets { if case .published = $0 { true } else { false } })
    try CommitSteps.takeBack(
      targets { if case .ready(_, isFenced: true) = $0 { true } else { false } })
    return try close(
      .undone(
        "The process ended in the middle of the commit, and another program has written to a disk that "
          + "was still old; the others were taken back: every disk is without the job."))
  }

  // MARK: Rule 6

  private func byJobs() throws -> Outcome {
    states.forEach { $0.image?.unlock() }
    switch record.nature {
    case .plainSave(let tag):
      // Only a published disk can have this job's snapshot; one of that name elsewhere is the user's.
      try runDelete(
        [tag],
        on: zip(record.images, states).filter { _, state in
          if case .published = state { true } else { false }
        }.map(\.0))
      return try close(
        .undone(
          "The process ended in the middle of the commit and other programs have written since; "
            + "snapshot '\(tag)' was removed from the disks that had it."))
    case .plainDelete(let tags):
      try runDelete(tags, on: zip(record.images, states).filter { $1.image != nil }.map(\.0))
      return try close(.done("The delete was completed where it was missing."))
    case .deviceState:
      // The marks are all that there is, and the device state is out of date.
      return try close(
        .undone(
          "The process ended in the middle of the commit and other programs have written since; the device "
            + "state was not taken over."))
    case .other:
      return .unsettled(stuck)
    }
  }

  private func runDelete(_ tags: [String], on images: [ImageCommit]) throws {
    guard let first = tags.first else { return }
    var request = SnapshotRequest(
      operation: .delete, tag: first, devices: images.map(\.node), vmstate: nil)
    request.moreTags = Array(tags.dropFirst())
    try run(request, on: images)
  }

  /// Runs an ordinary job, with its own prepare and commit, on some images of the record.
  private func run(_ request: SnapshotRequest, on images: [ImageCommit]) throws {
    guard let prepared = try prepare(request, on: images) else { return }
    try ImageCommitter(log: log).commit(prepared)
  }

  private func prepare(
    _ request: SnapshotRequest, on images: [ImageCommit]
  ) throws -> PreparedSnapshots? {
    guard !images.isEmpty else { return nil }
    var nodes: [Node] = []
    for image in images {
      nodes.append(Node(name: try NodeName(image.node), path: image.path))
    }
    let work = SnapshotWork(
      request, machine: Machine(name: nil, nodes: nodes),
      access: ImageAccess(log: log, files: files), settling: record.id)
    return try work.prepareImages(JobControl())
  }

  // MARK: The user's decision

  private func forceForward(_ requests: [SnapshotRequest]) throws -> Outcome {
    let touched = zip(record.images, states).filter { _, state in
      if case .touched = state { true } else { false }
    }.map(\.0)
    let ready = targets { if case .ready = $0 { true } else { false } }
    var open = record.id
    if !touched.isEmpty {
      var request = try owner(of: touched, among: requests)
      request.devices = touched.map(\.node)
      request.isPartOfJob = true
      request.vmstate = nil
      open = try publish(ready, andRun: request, on: touched)
    } else {
      try CommitSteps.publish(
        ready, fence: CommitSteps.needsFence(record.nature, imageCount: record.images.count))
    }
    let left = leftAlone
    guard left.isEmpty else {
      return try close(
        open,
        .undone(
          "The job was completed by force, but not on these disks, which were left alone: "
            + left.joined(separator: "; ")))
    }
    return try close(open, .done("The job was completed by force on every disk."))
  }

  /// The one request whose job is to be completed where others have written.
  private func owner(
    of touched: [ImageCommit], among requests: [SnapshotRequest]
  ) throws(JobError) -> SnapshotRequest {
    let owners =
      record.jobs.count == 1
      ? requests
      : requests.filter { request in touched.contains { request.devices.contains($0.node) } }
    guard let owner = owners.first else {
      throw JobError(
        .notFound,
        "what the job was asked to do is not in the catalog (it was dismissed, or it received a stream, which is "
          + "not kept); leave the disks as they are with --abandon, and start it again")
    }
    guard owners.count == 1 else {
      throw JobError(
        .conflict,
        "another program has written to disks of several jobs of one group; leave the disks as they "
          + "are with --abandon, and start the jobs again")
    }
    return owner
  }

  /// Completes the job by an ordinary one where others have written, and publishes the rest with it
  /// under one new record, which takes the place of this one: from then on it is as any other commit.
  ///
  /// - Returns: the id of the new record, which is open.
  private func publish(
    _ ready: [CommitSteps.Target], andRun request: SnapshotRequest, on touched: [ImageCommit]
  ) throws -> CommitID {
    for (commit, state) in zip(record.images, states) where touched.contains(commit) {
      state.image?.unlock()
    }
    guard let prepared = try prepare(request, on: touched) else { return record.id }
    let kept = zip(record.images, states).compactMap { commit, state in
      state.image == nil || touched.contains(commit) ? nil : commit
    }
    let next = CommitRecord(
      id: CommitID(), jobs: record.jobs, nature: .other, created: .now,
      images: kept + prepared.members.map(ImageCommit.init))
    let outcome = ImageCommitter.write(next, to: log) { () throws(JobError) in
      try log.append(
        next, closing: record.id, note: "The job is completed by force under another commit.")
    }
    if case .notCommitted(let error) = outcome {
      try prepared.undo()
      throw error
    }
    defer { prepared.abandon() }
    if case .unresolved(let error) = outcome { throw error }
    let own = prepared.members.map {
      CommitSteps.Target(
        image: $0.prepared.image, before: FirstSector(onDisk: $0.prepared.before),
        after: FirstSector(onDisk: $0.prepared.after))
    }
    try CommitSteps.publish(
      ready + own, fence: CommitSteps.needsFence(next.nature, imageCount: next.images.count))
    return next.id
  }

  private func abandon() throws -> Outcome {
    try CommitSteps.takeBack(
      targets { if case .published(_, isOpened: false) = $0 { true } else { false } })
    try CommitSteps.takeBack(targets { if case .ready = $0 { true } else { false } })
    let kept = zip(record.images, states).compactMap { commit, state in
      if case .published(_, isOpened: true) = state { "\(commit.node) (new state)" } else { nil }
    }
    var text = "The commit was abandoned; the disks are in the state of before the job"
    if !kept.isEmpty { text += ", but " + kept.joined(separator: ", ") }
    let left = leftAlone
    if !left.isEmpty { text += "; left alone: " + left.joined(separator: "; ") }
    return try close(.undone(text + "."))
  }

  /// The images that the user's decision does not touch either.
  private var leftAlone: [String] {
    zip(record.images, states).compactMap { commit, state in
      switch state {
      case .foreign, .outOfReach: "\(commit.node): \(state.description)"
      case .published, .ready, .touched: nil
      }
    }
  }
}

extension CommitSteps.Target {
  /// What the image's file looks like, for a state that waits: nobody has written to it before recovery did.
  fileprivate var finished: StagedStateStamp? {
    guard !image.isBlockDevice, let commit = after.marks?.last, let stamp = try? image.stamp()
    else { return nil }
    return StagedStateStamp(commit: commit, path: image.path, old: nil, new: stamp)
  }
}
