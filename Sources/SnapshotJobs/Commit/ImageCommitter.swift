public import Jobs
internal import Qcow2

/// Commits prepared images as `CommitTables` has it: intent, fence, record, publish.
public struct ImageCommitter: Committer {
  private let log: any CommitLog
  private let tables: CommitTables

  /// Makes a committer that notes its commits here.
  public init(log: any CommitLog) { self.init(log: log, tables: CommitTables()) }

  init(log: any CommitLog, tables: CommitTables) {
    self.log = log
    self.tables = tables
  }

  /// Enters the intent of what the jobs of one transaction have prepared.
  ///
  /// A file gets its name in the commit. Other work that is not about images has nothing to publish; it is done
  /// once it is prepared.
  public func announce(
    _ members: [CommitMember], waits: Bool
  ) throws(JobError) -> any AnnouncedCommit {
    let files = members.compactMap { $0.work as? PreparedFile }
    let publishFiles: @Sendable () throws(JobError) -> Void = { () throws(JobError) in
      for file in files { try file.publish() }
    }
    let works = members.compactMap { member in
      (member.work as? any PreparedOnImages).map { (job: member.id, images: $0.images) }
    }
    guard works.contains(where: { !$0.images.members.isEmpty }) else {
      return CommitWithoutImages(publish: publishFiles)
    }
    let run = try CommitRun(
      works.flatMap { work in work.images.members.map { ($0, work.job) } }, jobs: members.map(\.id),
      waits: waits, access: works[0].images.access, log: log, tables: tables
    ) { () throws(JobError) in
      for work in works { try work.images.checkPaths() }
      try publishFiles()
    }
    try run.announce()
    return run
  }

  /// Commits prepared images at once, in nobody's name, and lets go of them.
  ///
  /// - Throws: why it was undone, or what keeps it from being finished.
  func commit(_ prepared: PreparedSnapshots) throws {
    guard !prepared.members.isEmpty else { return prepared.abandon() }
    switch commit(
      prepared.members, access: prepared.access,
      onCommit: { () throws(JobError) in try prepared.checkPaths() })
    {
    case .committed: _ = try prepared.finish()
    case .rolledBack(let error):
      try prepared.undo()
      throw error
    case .inDoubt(let error):
      prepared.abandon()
      throw error
    }
  }

  /// Commits one image at once, in nobody's name; its locks stay.
  ///
  /// - Throws: why it was undone, or what keeps it from being finished.
  func commit(_ member: PreparedSnapshots.Member, access: any FileAccess) throws {
    switch commit([member], access: access, onCommit: {}) {
    case .committed: try member.prepared.finish()
    case .rolledBack(let error):
      try member.prepared.undo()
      throw error
    case .inDoubt(let error): throw error
    }
  }

  private func commit(
    _ members: [PreparedSnapshots.Member], access: any FileAccess,
    onCommit: @escaping @Sendable () throws(JobError) -> Void
  ) -> CommitOutcome {
    do throws(JobError) {
      let run = try CommitRun(
        members.map { ($0, nil) }, jobs: [], access: access, log: log, tables: tables,
        onCommit: onCommit)
      try run.announce()
      return run.commit()
    } catch {
      return .rolledBack(error)
    }
  }
}

/// A commit in which no image changes.
private struct CommitWithoutImages: AnnouncedCommit {
  let publish: @Sendable () throws(JobError) -> Void

  func commit() -> CommitOutcome {
    do throws(JobError) {
      try publish()
      return .committed
    } catch {
      return .rolledBack(error)
    }
  }

  func cancel() {}
}

/// Prepared work that has images to publish.
protocol PreparedOnImages: PreparedWork {
  /// The images.
  var images: PreparedSnapshots { get }
}

extension PreparedSnapshots: PreparedOnImages {
  var images: PreparedSnapshots { self }
}
