import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs

/// A catalog's commit log on faulty storage: power can go, or an error be reported, before and after
/// each durable step.
struct FaultyLog: CommitLog {
  let catalog: Catalog
  let storage: FaultyStorage

  var catalogID: CatalogID { catalog.catalogID }
  var catalogPath: String { catalog.catalogPath }

  func writeIntent(_ intent: CommitIntent) throws(JobError) -> CommitClaim {
    try storage.passCatalog()
    let claim = try catalog.writeIntent(intent)
    try storage.passCatalog()
    return claim
  }

  func decide(
    _ decision: CommitDecision, _ id: CommitID
  ) throws(CommitLogError) -> CommitDecision {
    try passing { () throws(JobError) in try storage.passCatalog() }
    let stands = try catalog.decide(decision, id)
    try passing { () throws(JobError) in try storage.passCatalog() }
    return stands
  }

  /// COMMIT reports an error: nobody knows what became of it.
  private func passing(_ body: () throws(JobError) -> Void) throws(CommitLogError) {
    do throws(JobError) {
      try body()
    } catch {
      throw CommitLogError(error, isAmbiguous: true)
    }
  }

  func settle(_ id: CommitID, _ settlement: CommitSettlement) throws(JobError) {
    try storage.passCatalog()
    try catalog.settle(id, settlement)
    try storage.passCatalog()
  }

  func confirm(_ members: Set<Int>, of id: CommitID) throws(JobError) {
    try storage.passCatalog()
    try catalog.confirm(members, of: id)
    try storage.passCatalog()
  }

  func makeDecisionsDurable() throws(JobError) {
    try storage.passCatalog()
    try catalog.makeDecisionsDurable()
    try storage.passCatalog()
  }

  func unsettledCommits() throws(JobError) -> [CommitRow] {
    try storage.requirePower()
    return try catalog.unsettledCommits()
  }

  func unconfirmedCommits() throws(JobError) -> [CommitRow] {
    try storage.requirePower()
    return try catalog.unconfirmedCommits()
  }

  func commit(_ id: CommitID) throws(JobError) -> CommitRow? {
    try storage.requirePower()
    return try catalog.commit(id)
  }

  func claim(_ id: CommitID) throws(JobError) -> CommitClaim? {
    try storage.requirePower()
    return try catalog.claim(id)
  }

  func outcome(ofJob job: JobID) throws(JobError) -> CommitJobOutcome {
    try storage.requirePower()
    return try catalog.outcome(ofJob: job)
  }

  func imagesToClean() throws(JobError) -> [String] {
    try storage.requirePower()
    return try catalog.imagesToClean()
  }

  func noteClean(_ path: String) throws(JobError) {
    try storage.requirePower()
    try catalog.noteClean(path)
  }

  var stagedStateDirectory: String { catalog.stagedStateDirectory }

  func deviceStates(of commits: [CommitID]) throws(JobError) -> [CommitID: CommitNotes] {
    try storage.requirePower()
    return try catalog.deviceStates(of: commits)
  }

  func note(_ stamps: [StagedStateStamp]) throws(JobError) {
    try storage.requirePower()
    try catalog.note(stamps)
  }
}
