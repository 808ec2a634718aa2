import FileNames
private import FoundationEssentials
public import Jobs
public import Qcow2

/// Brings the commits that processes have left to their end, and concludes the jobs of processes that have
/// ended.
///
/// It runs at every start of a command that may change images. There is nothing to decide: a commit with a
/// record goes forward, one without is taken back, each image on its own, by its bytes.
public struct Recovery: Sendable {
  /// What became, or would become, of one job or commit.
  public struct Finding: Sendable, Hashable {
    /// The jobs concerned.
    public let jobs: [JobID]
    /// What happened, as a sentence.
    public let outcome: String
    /// Each image and what was done about it.
    public let images: [String]
    /// Whether it is settled; what is not keeps its images from being changed.
    public let isResolved: Bool
    /// The failure that a changing command on these images meets while it is not settled; of one that is
    /// settled what became of it, where that is no success.
    public let obstacle: JobError?
  }

  /// What became of a job whose process has ended.
  public enum OrphanOutcome: Sendable {
    /// It was done, with this result.
    case done(result: String?)
    /// It failed, and what it left is settled.
    case failed(JobError)
    /// It cannot be told now, for this reason.
    case inDoubt(JobError)
  }

  /// Looks after a job that another program has done for us; nil for one that has not.
  public typealias OrphanHandler = @Sendable (JobRecord) -> OrphanOutcome?

  let log: any CommitLog
  private let runner: JobRunner
  private let orphanHandler: OrphanHandler
  private let files: any FileAccess
  private let tables: CommitTables
  private let otherLogs: @Sendable () -> [any CommitLog]

  /// Makes a recovery over a catalog's commits and jobs.
  ///
  /// - Parameters:
  ///   - log: the catalog's commits.
  ///   - runner: what concludes its jobs.
  ///   - files: where the image files come from.
  ///   - orphanHandler: looks after jobs whose work was not in this program.
  ///   - otherLogs: opens the catalogs in which the commit of a fence is looked for that this one does not
  ///     know of.
  public init(
    log: any CommitLog, runner: JobRunner, files: any FileAccess = PosixFileAccess(),
    orphanHandler: @escaping OrphanHandler = { _ in nil },
    otherLogs: @escaping @Sendable () -> [any CommitLog] = { [] }
  ) {
    self.init(
      log: log, runner: runner, files: files, tables: CommitTables(), orphanHandler: orphanHandler,
      otherLogs: otherLogs)
  }

  init(
    log: any CommitLog, runner: JobRunner, files: any FileAccess, tables: CommitTables,
    orphanHandler: @escaping OrphanHandler = { _ in nil },
    otherLogs: @escaping @Sendable () -> [any CommitLog] = { [] }
  ) {
    self.otherLogs = otherLogs
    self.orphanHandler = orphanHandler
    self.log = log
    self.files = files
    self.runner = runner
    self.tables = tables
  }

  /// Finishes what can be finished.
  ///
  /// - Parameters:
  ///   - dryRun: only say what would happen.
  ///   - job: only this job's commit.
  ///   - abandons: whether the commits are settled whatever keeps their images away; of these the images within
  ///     reach are finished.
  ///   - isThorough: whether settled commits with images that were held or away are looked at again.
  /// - Returns: a finding for each commit and each job that was left.
  /// - Throws: `JobError` if the catalog cannot be used, or (not found) if there is no such job, or nothing to
  ///   abandon.
  public func run(
    dryRun: Bool = false, job: JobID? = nil, abandons: Bool = false, isThorough: Bool = false
  ) throws(JobError) -> [Finding] {
    // Commits before jobs: the job of every commit that is seen is seen as well.
    var rows = try log.unsettledCommits()
    let jobs = try runner.jobs()
    if let job, !jobs.contains(where: { $0.id == job }) { throw .jobNotFound }
    if isThorough { rows += try log.unconfirmedCommits() }
    var findings: [Finding] = []
    for row in rows where job.map({ row.intent.jobs.contains($0) }) ?? true {
      if let finding = try finish(
        row, dryRun: dryRun, abandons: abandons, tellsBusy: isThorough && !row.isSettled)
      {
        findings.append(finding)
      }
    }
    if abandons, findings.isEmpty {
      throw JobError(
        .notFound,
        job.map { "Job '\($0)' has no commit that is not finished" } ?? "No commit is unfinished")
    }
    let unfinished = Set(findings.flatMap(\.jobs))
    for record in jobs where !unfinished.contains(record.id) && (job == nil || job == record.id) {
      guard record.status != .concluded, !(record.worker?.isAlive ?? false) else { continue }
      do {
        if let finding = try concludeOrphan(record, dryRun: dryRun) { findings.append(finding) }
      } catch  where error.kind == .notFound && job == nil {
        // Somebody has settled and dismissed it meanwhile.
      }
    }
    if job == nil, !dryRun { try clean() }
    return findings
  }

  /// Takes the marker bit of earlier versions from the images that may have it. What somebody holds, or is
  /// missing, stays on the list.
  private func clean() throws(JobError) {
    for path in try log.imagesToClean() {
      // Opening it for a change is what takes the bit away.
      guard let file = try? SectorFile(opening: path, .write, access: files),
        let sector = try? file.read()
      else { continue }
      defer { file.unlock() }
      if let clean = sector.withoutMarker {
        do throws(Qcow2Error) {
          try file.write(clean)
          try file.synchronize()
        } catch {
          continue
        }
      }
      if !sector.hasMarkedFence { try log.noteClean(path) }
    }
  }

  // MARK: One image

  /// Takes away the fences that are met on images whatever path their commit knows them by: by this catalog's
  /// commits, or those of the other catalogs. Images of commits that ``run(dryRun:job:abandons:isThorough:)`` has
  /// told of are left out.
  ///
  /// - Parameters:
  ///   - paths: absolute paths of images.
  ///   - dryRun: only say what would happen.
  /// - Returns: a finding for each fence.
  /// - Throws: `JobError` if the catalog cannot be used.
  public func resolveFences(at paths: [String], dryRun: Bool = false) throws(JobError) -> [Finding]
  {
    let gate = CommitGate(log: log, files: files)
    var others: [any CommitLog]?
    var findings: [Finding] = []
    for bytes in Set(paths.map { Array($0.utf8) }).sorted(by: { $0.lexicographicallyPrecedes($1) })
    {
      let path = String(decoding: bytes, as: UTF8.self)
      guard let fence = gate.fence(at: path) else { continue }
      let isOurs = try gate.knows(fence)
      if isOurs, try log.commit(fence.commit)?.isSettled == false { continue }
      if !isOurs, others == nil { others = otherLogs() }
      let owner =
        isOurs ? log : others?.first { $0.catalogID == fence.catalog }
      findings.append(resolve(fence, at: path, by: owner, dryRun: dryRun))
    }
    return findings
  }

  private func resolve(
    _ fence: FenceMark, at path: String, by owner: (any CommitLog)?, dryRun: Bool
  ) -> Finding {
    do throws(JobError) {
      guard let owner else { throw JobError(.commitPending(fence, path: path)) }
      if !dryRun { try CommitGate(log: owner, files: files).resolve(fence, at: path) }
      let isOurs = owner.catalogID == log.catalogID
      let catalog = isOurs ? "" : ", with the catalog \(owner.catalogPath)"
      let verb = dryRun ? "would be" : "was"
      return Finding(
        jobs: [], outcome: "The commit on \(path) \(verb) brought to its end\(catalog).",
        images: [path], isResolved: true, obstacle: nil)
    } catch {
      return Finding(
        jobs: [], outcome: error.message, images: [path], isResolved: false, obstacle: error)
    }
  }

  /// Gives up what keeps an image from being changed: a fence that no commit of this catalog explains goes, with
  /// the header of before built out of it. What a commit of this catalog explains is finished instead.
  ///
  /// - Parameter path: the image's absolute path.
  /// - Returns: what became of it.
  /// - Throws: `JobError`: not found if the image is not fenced and no commit without a job names it; the image is
  ///   as it was then.
  public func abandon(path: String) throws(JobError) -> Finding {
    let row = try log.unsettledCommits().first { row in
      row.intent.members.contains { $0.path.hasSameBytes(as: path) }
    }
    if let row, let finding = try finish(row, dryRun: false, abandons: row.intent.jobs.isEmpty) {
      guard finding.isResolved else { throw finding.obstacle ?? JobError(.inUse, finding.outcome) }
      return finding
    }
    let gate = CommitGate(log: log, files: files)
    if let fence = gate.fence(at: path), try gate.knows(fence) {
      try gate.resolve(fence, at: path)
      return Finding(
        jobs: [], outcome: "The commit on \(path) was brought to its end.", images: [path],
        isResolved: true, obstacle: nil)
    }
    do throws(Qcow2Error) {
      let file = try SectorFile(opening: path, .write, access: files)
      defer { file.unlock() }
      let fence = try file.read()?.fenceMark
      try file.write(try file.unfenced())
      try file.synchronize()
      let others = fence.map { $0.memberCount - 1 } ?? 0
      return Finding(
        jobs: [],
        outcome: "The fence of \(path) is removed; the image is in the state of before."
          + (others > 0
            ? " The other \(others) of the commit may have the new state: to compare them: "
              + "\(NextStep("list", "--file", path, "FILE"))"
            : ""),
        images: [path], isResolved: true, obstacle: nil)
    } catch {
      throw JobError(error)
    }
  }

  /// Concludes a job whose process has ended and that has no open commit.
  private func concludeOrphan(
    _ record: JobRecord, dryRun: Bool
  ) throws(JobError) -> Finding? {
    let error: JobError?
    switch try log.outcome(ofJob: record.id) {
    case .open: return nil
    case .done: error = nil
    case .failed(let note): error = JobError(.general, note)
    case .none:
      if !dryRun, let outcome = orphanHandler(record) { return try conclude(record, outcome) }
      let process = record.worker.map { " (pid \($0.pid))" } ?? ""
      error = JobError(
        .general,
        "The process that ran the job\(process) ended before its commit; no disk was changed")
    }
    if !dryRun {
      try runner.conclude(
        orphan: record.id, numbered: record.number, error: error, result: nil)
    }
    return Finding(
      jobs: [record.id], outcome: error?.message ?? "The job had done its work.", images: [],
      isResolved: true, obstacle: nil)
  }

  private func conclude(
    _ record: JobRecord, _ outcome: OrphanOutcome
  ) throws(JobError) -> Finding? {
    let id = record.id
    switch outcome {
    case .done(let result):
      try runner.conclude(orphan: id, numbered: record.number, error: nil, result: result)
      return Finding(
        jobs: [id], outcome: "The running machine had done it.", images: [], isResolved: true,
        obstacle: nil)
    case .failed(let error):
      try runner.conclude(orphan: id, numbered: record.number, error: error, result: nil)
      return Finding(
        jobs: [id], outcome: error.message, images: [], isResolved: true, obstacle: nil)
    case .inDoubt(let error):
      return Finding(
        jobs: [id], outcome: error.message, images: [], isResolved: false, obstacle: error)
    }
  }

  // MARK: One commit

  /// Finishes one commit; nil if another process has done so meanwhile, or is at it and that is not to be told.
  private func finish(
    _ row: CommitRow, dryRun: Bool, abandons: Bool, tellsBusy: Bool = false
  ) throws(JobError) -> Finding? {
    let recovery = CommitRecovery(
      row.intent.id, log: log, files: files, waitsForNobody: abandons, tables: tables)
    if dryRun { return try forecast(row, recovery) }
    let result = try recovery.run()
    let report = CommitReport(row, result.outcomes)
    switch result.ending {
    case .settledByOthers: return nil
    case .busy where !tellsBusy: return nil
    case .waits, .failed, .busy:
      // A settled commit only waits for what turns up.
      guard !row.isSettled else { return nil }
      let obstacle = report.obstacle(result.ending, result.failure)
      if let obstacle, result.ending != .busy { try note(obstacle, at: row) }
      return Finding(
        jobs: row.intent.jobs, outcome: obstacle?.message ?? "", images: report.images,
        isResolved: false, obstacle: obstacle)
    case .settled(let decision):
      let failure = report.jobFailure(decision)
      // Of a settled commit is told what has turned up since, and what somebody has to look at.
      let isNews = result.confirms(beyond: row.isConfirmed) || failure?.kind == .conflict
      guard !row.isSettled || isNews else { return nil }
      if !row.isSettled { try conclude(row, failure) }
      return Finding(
        jobs: row.intent.jobs, outcome: report.sentence(decision), images: report.images,
        isResolved: true, obstacle: failure?.kind == .conflict ? failure : nil)
    }
  }

  private func forecast(
    _ row: CommitRow, _ recovery: CommitRecovery
  ) throws(JobError) -> Finding? {
    guard !row.isSettled, let forecast = try recovery.forecast() else { return nil }
    let report = CommitReport(row, forecast.outcomes, isForecast: true)
    let obstacle = report.obstacle(forecast.ending, forecast.failure)
    let text =
      switch forecast.ending {
      case .settled(.record): "The commit would be brought to its end on every disk."
      case .settled: "Every disk would go back to its state before the job."
      default: obstacle?.message ?? ""
      }
    return Finding(
      jobs: row.intent.jobs, outcome: text, images: report.images, isResolved: obstacle == nil,
      obstacle: obstacle)
  }

  /// Says at the jobs what keeps their commit from its end.
  private func note(_ obstacle: JobError, at row: CommitRow) throws(JobError) {
    for id in row.intent.jobs {
      guard let number = row.jobNumbers[id] else { continue }
      try runner.note(obstacle, atOrphan: id, numbered: number)
    }
  }

  private func conclude(_ row: CommitRow, _ failure: JobError?) throws(JobError) {
    for id in row.intent.jobs {
      do {
        try runner.conclude(
          orphan: id, numbered: row.jobNumbers[id], error: failure, result: nil)
      } catch  where error.kind == .notFound {
        // The job was dismissed; its commit is settled all the same.
      }
    }
  }
}
