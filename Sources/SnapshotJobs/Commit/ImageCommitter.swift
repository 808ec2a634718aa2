public import Jobs
internal import Qcow2

/// Commits prepared images: commit record, fence, publish, done.
public struct ImageCommitter: Committer {
  private let log: any CommitLog

  /// Makes a committer that writes its records here.
  public init(log: any CommitLog) { self.log = log }

  /// Commits what the jobs of one transaction have prepared.
  ///
  /// A file gets its name here. Other work that is not about images has nothing to publish; it is done once it
  /// is prepared.
  public func commit(_ members: [CommitMember]) -> CommitOutcome {
    do throws(JobError) {
      for file in members.compactMap({ $0.work as? PreparedFile }) { try file.publish() }
    } catch {
      return .notCommitted(error)
    }
    return commit(
      members.compactMap { ($0.work as? any PreparedOnImages)?.images }, jobs: members.map(\.id))
  }

  /// Commits prepared images in the name of these jobs; of none where no job does it.
  func commit(_ works: [PreparedSnapshots], jobs: [JobID]) -> CommitOutcome {
    let images = works.flatMap(\.members)
    guard !images.isEmpty else { return .committed }
    do throws(JobError) {
      for work in works { try work.checkPaths() }
    } catch {
      return .notCommitted(error)
    }
    let record = CommitRecord(
      id: CommitID(), jobs: jobs,
      nature: Set(works.map(\.nature)).count == 1 ? works[0].nature : .other, created: .now,
      images: images.map(ImageCommit.init))

    StopPoint.beforeRecord.reach()
    if let outcome = Self.write(
      record, to: log, { () throws(JobError) in try log.append(record) })
    {
      return outcome
    }
    StopPoint.afterRecord.reach()
    do {
      try CommitSteps.publish(
        images.map {
          CommitSteps.Target(
            image: $0.prepared.image, before: FirstSector(onDisk: $0.prepared.before),
            after: FirstSector(onDisk: $0.prepared.after))
        }, fence: CommitSteps.needsFence(record.nature, imageCount: images.count))
      StopPoint.beforeDone.reach()
      try log.close(record.id, note: nil)
      StopPoint.afterDone.reach()
      return .committed
    } catch {
      let cause = JobError(wrapping: error)
      return .unresolved(
        JobError(
          cause.kind,
          "\(cause.message). The commit is recorded but not on every disk; snapjob recover brings it to "
            + "its end"))
    }
  }

  /// Commits prepared images at once, in nobody's name, and lets go of them.
  ///
  /// - Throws: why it was undone, or what keeps it from being decided.
  func commit(_ prepared: PreparedSnapshots) throws {
    switch commit([prepared], jobs: []) {
    case .committed: _ = try prepared.finish()
    case .notCommitted(let error):
      try prepared.undo()
      throw error
    case .takenBack(let error), .unresolved(let error):
      prepared.abandon()
      throw error
    }
  }

  /// Writes a commit record.
  ///
  /// - Returns: nil once it is durable, otherwise how the commit ends.
  static func write(
    _ record: CommitRecord, to log: any CommitLog, _ append: () throws(JobError) -> Void
  ) -> CommitOutcome? {
    do {
      try append()
      return nil
    } catch let failure {
      // COMMIT reported an error: only a look tells whether the record is there. Where it is not, that
      // is made durable before anything is undone, so that a record that turns up later finds no
      // image that it fits.
      do {
        if try log.contains(record.id) { return nil }
        try log.refuse(record.id)
        return .notCommitted(failure)
      } catch {
        return .unresolved(failure)
      }
    }
  }
}

extension ImageCommit {
  /// What a record says of a prepared image.
  init(_ member: PreparedSnapshots.Member) {
    let prepared = member.prepared
    self.init(
      node: member.node.name.description, path: member.node.path,
      identity: prepared.image.identity, bootID: Boot.id, version: prepared.image.version,
      stamp: prepared.stamp, before: prepared.before, after: prepared.after,
      deviceState: member.deviceState)
  }
}

/// Prepared work that has images to publish.
protocol PreparedOnImages: PreparedWork {
  /// The images.
  var images: PreparedSnapshots { get }
}

extension PreparedSnapshots: PreparedOnImages {
  var images: PreparedSnapshots { self }
}
