import GRDB
public import Jobs
public import Qcow2
public import SnapshotJobs

extension Catalog: CommitLog {
  /// The catalog's path, for messages.
  public var catalogPath: String { path }

  /// Enters an intent so that it survives a power failure, with everything that was committed before.
  ///
  /// Where frames of the log may be missing on the disk, as after an fsync that failed, the log is begun anew
  /// first: what follows a gap is lost with the power.
  public func writeIntent(_ intent: CommitIntent) throws(JobError) -> CommitClaim {
    try database.secureIfSuspect()
    let claim = try workers.claim()
    do throws(CommitLogError) {
      try database.commitDurably { db in try CommitTable(db).insert(intent, by: claim) }
    } catch {
      workers.release(claim)
      throw error.error
    }
    let workers = workers
    return CommitClaim { workers.release(claim) }
  }

  /// Enters a decision so that it survives a power failure, unless one is there.
  public func decide(
    _ decision: CommitDecision, _ id: CommitID
  ) throws(CommitLogError) -> CommitDecision {
    try database.commitDurably { db in
      try CommitTable(db).decide(decision, id, at: Clock.now())
    }
  }

  /// Enters that nothing is left to do.
  public func settle(_ id: CommitID, _ settlement: CommitSettlement) throws(JobError) {
    let body: (Database) throws -> Void = { db in
      try CommitTable(db).settle(id, settlement, at: Clock.now())
    }
    if settlement.isDurable {
      try database.writeDurably(body)
    } else {
      try database.write(body)
    }
    // What has waited for this commit is memory of a machine: it goes as soon as it may.
    try? removeStateLeftovers()
  }

  /// The commits that are not settled, oldest first.
  public func unsettledCommits() throws(JobError) -> [CommitRow] {
    try database.read { db in try CommitTable(db).rows(where: CommitTable.isOpen) }
  }

  /// The settled commits with members that nobody has confirmed, oldest first.
  public func unconfirmedCommits() throws(JobError) -> [CommitRow] {
    try database.read { db in
      try CommitTable(db).rows(
        where: "NOT (\(CommitTable.isOpen)) AND \(CommitTable.isUnconfirmed)")
    }
  }

  /// A commit, settled or not.
  public func commit(_ id: CommitID) throws(JobError) -> CommitRow? {
    try database.read { db in try CommitTable(db).row(id) }
  }

  /// Takes the lock of a commit beside other recoveries; nil while the process that made it is at it.
  public func claim(_ id: CommitID) throws(JobError) -> CommitClaim? {
    guard let claimant = try database.read({ db in try CommitTable(db).claimant(of: id) }) else {
      return CommitClaim {}
    }
    return try workers.share(claimant.worker, byte: claimant.byte)
  }

  /// Makes everything durable that is committed, whatever became of earlier fsyncs.
  public func makeDecisionsDurable() throws(JobError) { try database.secure() }

  /// Notes members that were brought to what was decided.
  public func confirm(_ members: Set<Int>, of id: CommitID) throws(JobError) {
    try database.writeDurably { db in try CommitTable(db).confirm(members, of: id) }
  }

  /// What became of the newest commit that names a job.
  public func outcome(ofJob job: JobID) throws(JobError) -> CommitJobOutcome {
    try database.read { db in try CommitTable(db).outcome(ofJob: job) }
  }

  /// The paths of images that may have the marker bit of an earlier snapjob.
  public func imagesToClean() throws(JobError) -> [String] {
    try database.read { db in try CommitTable(db).imagesToClean() }
  }

  /// Notes that an image was seen without it.
  public func noteClean(_ path: String) throws(JobError) {
    try database.write { db in try CommitTable(db).noteClean(path) }
  }
}
