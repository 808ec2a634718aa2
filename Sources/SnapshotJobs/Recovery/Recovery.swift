private import FoundationEssentials
public import Jobs
public import Qcow2

/// Decides what becomes of commit records that are not done and of jobs whose process has ended.
///
/// It runs at every start, before anything touches an image of an open record, and costs one sector per
/// image of such a record.
public struct Recovery: Sendable {
  /// What became, or would become, of one job or record.
  public struct Finding: Sendable, Hashable {
    /// The jobs concerned.
    public let jobs: [JobID]
    /// What happened, as a sentence.
    public let outcome: String
    /// Each image and the state it was found in.
    public let images: [String]
    /// Whether it is settled; what is not keeps its images from being changed.
    public let isResolved: Bool
    /// The failure that a changing command on these images meets while it is not settled.
    public let obstacle: JobError?
  }

  /// How to treat a record that cannot be settled by itself.
  public enum Force: String, Sendable, CaseIterable {
    /// Complete the job where it is missing; what was written there since is lost.
    case forward
    /// Leave every image as it is, take back what nobody has opened, and forget the record.
    case abandon
  }

  /// What became of a job whose process has ended.
  public enum OrphanOutcome: Sendable {
    /// It was done, with this result.
    case done(result: String?)
    /// It failed, and what it left is settled.
    case failed(JobError)
    /// It cannot be told now, for this reason.
    case undecided(JobError)
  }

  /// Looks after a job that another program has done for us; nil for one that has not.
  public typealias OrphanCare = @Sendable (JobRecord) -> OrphanOutcome?

  let log: any CommitLog
  private let runner: JobRunner
  private let orphanCare: OrphanCare
  private let runningMachines: (any RunningMachineCare)?
  private let files: any FileAccess

  /// Makes a recovery over a catalog's records and jobs.
  ///
  /// - Parameters:
  ///   - log: the catalog's records.
  ///   - runner: what concludes its jobs.
  ///   - files: where the image files come from.
  ///   - runningMachines: the way to machines that run on the disks of a record; nil for none.
  ///   - orphanCare: looks after jobs whose work was not in this program.
  public init(
    log: any CommitLog, runner: JobRunner, files: any FileAccess = PosixFileAccess(),
    runningMachines: (any RunningMachineCare)? = nil,
    orphanCare: @escaping OrphanCare = { _ in nil }
  ) {
    self.orphanCare = orphanCare
    self.runningMachines = runningMachines
    self.log = log
    self.files = files
    self.runner = runner
  }

  /// Settles what can be settled.
  ///
  /// - Parameters:
  ///   - dryRun: only say what would happen.
  ///   - job: only this job's record.
  ///   - force: what to do with a record that cannot be settled by itself.
  /// - Returns: a finding for each record and each job that was left.
  /// - Throws: `JobError` if the catalog cannot be used, or (not found) if there is nothing to force.
  public func run(dryRun: Bool = false, job: JobID? = nil, force: Force? = nil)
    throws(JobError) -> [Finding]
  {
    // Records before jobs: the job of every record that is seen is seen as well.
    let records = try log.openRecords()
    let jobs = try runner.jobs()
    var findings: [Finding] = []
    // A record by which an earlier recovery settled another one comes first.
    for record in records.reversed() {
      if let job, !record.jobs.contains(job) { continue }
      let isRunning = jobs.contains { candidate in
        record.jobs.contains(candidate.id) && candidate.worker?.isAlive ?? false
          && candidate.error == nil
      }
      guard !isRunning else { continue }
      if let finding = try settle(record, jobs: jobs, dryRun: dryRun, force: force) {
        findings.append(finding)
      }
    }
    if force != nil, findings.isEmpty {
      throw JobError(
        .notFound,
        job.map { "Job '\($0)' has no commit that is not settled" }
          ?? "No commit is unsettled")
    }
    let unsettled = Set(findings.flatMap(\.jobs))
    for record in jobs where !unsettled.contains(record.id) && (job == nil || job == record.id) {
      guard record.status != .concluded, !(record.worker?.isAlive ?? false) else { continue }
      if let finding = try concludeOrphan(record, dryRun: dryRun) { findings.append(finding) }
    }
    return findings
  }

  /// Gives up what keeps an image from being changed and that no job stands for: the open record of a
  /// command without a job, or a fence that no record of this catalog explains.
  ///
  /// Of a record, images that nobody has opened go back to the state of before, the others stay as they are; if
  /// it can be settled by the rules, it is.
  ///
  /// - Parameter path: the image's absolute path.
  /// - Returns: what became of it.
  /// - Throws: `JobError`: conflict if the record of a job names the image, not found if there is nothing to
  ///   give up; the image is as it was then.
  public func abandon(path: String) throws(JobError) -> Finding {
    if let record = try openRecord(of: path) {
      guard record.jobs.isEmpty else {
        throw JobError(
          .conflict,
          "\(path) belongs to a commit of this catalog (job "
            + "\(record.jobs.map(\.description).joined(separator: ", "))); use: snapjob recover JOB "
            + "--forward or --abandon")
      }
      if let finding = try settle(record, jobs: [], dryRun: false, force: .abandon) {
        return finding
      }
    }
    return try removeFence(path: path)
  }

  /// The record of this catalog that is not done and names a file, by whatever path.
  private func openRecord(of path: String) throws(JobError) -> CommitRecord? {
    let records = try log.openRecords()
    if let record = records.first(where: { $0.images.contains { $0.path == path } }) {
      return record
    }
    do {
      let image = try Image.open(path, for: .recovery, access: files)
      defer { image.unlock() }
      return records.first { $0.images.contains { $0.names(image) } }
    } catch {
      throw JobError(wrapping: error)
    }
  }

  private func removeFence(path: String) throws(JobError) -> Finding {
    do {
      let image = try Image.open(path, for: .recovery, access: files)
      defer { image.unlock() }
      // Only under the image's lock is the list of records more than a memory.
      guard try !log.openRecords().contains(where: { $0.images.contains { $0.names(image) } })
      else {
        throw Qcow2Error.conflict("a commit on the image has begun meanwhile; try again").in(path)
      }
      guard image.isFenced else {
        throw Qcow2Error.notFound("the image is not fenced").in(path)
      }
      try image.writeFirstSector(FirstSector(onDisk: image.firstSector).settled.bytes)
    } catch {
      throw JobError(wrapping: error)
    }
    return Finding(
      jobs: [], outcome: "The fence of \(path) is removed; the image is in the state of before.",
      images: [path], isResolved: true, obstacle: nil)
  }

  /// Concludes a job whose process has ended and that has no open record.
  private func concludeOrphan(
    _ record: JobRecord, dryRun: Bool
  ) throws(JobError) -> Finding? {
    let error: JobError?
    switch try log.outcome(ofJob: record.id) {
    case .open: return nil
    case .done: error = nil
    case .closed(let note): error = JobError(.general, note)
    case .none:
      if !dryRun, let outcome = orphanCare(record) { return try conclude(record, outcome) }
      let process = record.worker.map { " (pid \($0.pid))" } ?? ""
      error = JobError(
        .general,
        "The process that ran the job\(process) ended before its commit; no disk was changed")
    }
    if !dryRun { try runner.conclude(orphan: record.id, error: error, result: nil) }
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
      try runner.conclude(orphan: id, error: nil, result: result)
      return Finding(
        jobs: [id], outcome: "The running machine had done it.", images: [], isResolved: true,
        obstacle: nil)
    case .failed(let error):
      try runner.conclude(orphan: id, error: error, result: nil)
      return Finding(
        jobs: [id], outcome: error.message, images: [], isResolved: true, obstacle: nil)
    case .undecided(let error):
      return Finding(
        jobs: [id], outcome: error.message, images: [], isResolved: false, obstacle: error)
    }
  }

  // MARK: One record

  /// Settles one record; nil if another process has done so meanwhile.
  private func settle(
    _ record: CommitRecord, jobs: [JobRecord], dryRun: Bool, force: Force?
  ) throws(JobError) -> Finding? {
    let states = record.images.map { CommitState($0, files) }
    defer { states.forEach { $0.image?.unlock() } }
    // Only under the images' locks is the list of open records more than a memory: whoever settled
    // this one may have changed its images again.
    guard try log.openRecords().contains(where: { $0.id == record.id }) else { return nil }
    let verdict = RecoveryVerdict(record, states)
    let images = zip(record.images, states).map { "\($0.node): \($0.path): \($1.description)" }
    let settlement = RecordSettlement(
      record: record, states: states, log: log, files: files)
    let outcome: RecordSettlement.Outcome
    if case .wait = verdict, force == nil,
      let settled = try? throughMachine(record, states, jobs: jobs, dryRun: dryRun)
    {
      outcome = settled
      if !dryRun {
        _ = try settlement.close(settled)
        try conclude(record.jobs, settled)
      }
    } else if dryRun {
      outcome = settlement.forecast(verdict, force: force)
    } else {
      do {
        let requests = jobs.filter { record.jobs.contains($0.id) }.compactMap(Self.request)
        outcome = try settlement.perform(verdict, force: force, requests: requests)
      } catch {
        let cause = JobError(wrapping: error)
        outcome = .unsettled(
          JobError(cause.kind, "The commit could not be settled: \(cause.message)"))
      }
      try conclude(record.jobs, outcome)
    }
    return Finding(
      jobs: record.jobs, outcome: outcome.text, images: images, isResolved: outcome.isSettled,
      obstacle: outcome.obstacle)
  }

  /// Settles a record through the machine that runs on its disks; nil if that is not so. What keeps the
  /// machine from being asked leaves the record waiting.
  private func throughMachine(
    _ record: CommitRecord, _ states: [CommitState], jobs: [JobRecord], dryRun: Bool
  ) throws(JobError) -> RecordSettlement.Outcome? {
    guard let care = runningMachines,
      let machine = jobs.first(where: { record.jobs.contains($0.id) })?.subject
    else { return nil }
    return try RunningMachineSettlement(
      record: record, machine: machine, care: care, files: files,
      isOpen: { () throws(JobError) in
        try log.openRecords().contains { $0.id == record.id }
      }
    ).settle(states, dryRun: dryRun)
  }

  private func conclude(_ jobs: [JobID], _ outcome: RecordSettlement.Outcome) throws(JobError) {
    guard outcome.isSettled else { return }
    for id in jobs {
      do {
        try runner.conclude(orphan: id, error: outcome.jobError, result: nil)
      } catch  where error.kind == .notFound {
        // The job was dismissed; its record is settled all the same.
      }
    }
  }

  private static func request(_ record: JobRecord) -> SnapshotRequest? {
    try? JSONDecoder().decode(SnapshotRequest.self, from: Data(record.arguments.utf8))
  }
}
