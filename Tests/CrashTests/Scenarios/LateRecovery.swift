import Dispatch
import JobCatalog
import Jobs
import Qcow2

@testable import SnapshotJobs

/// A recovery that begins while the worker is at its commit, and is overtaken by the worker's end just before it
/// asks for the worker's lock.
final class LateRecovery: Sendable {
  private let hasBegun = DispatchSemaphore(value: 0)
  private let mayGoOn = DispatchSemaphore(value: 0)
  private let hasEnded = DispatchSemaphore(value: 0)
  private static let limit = DispatchTimeInterval.seconds(10)

  /// Begins to recover on a thread of its own; returns when it is about to ask for the lock.
  func begin(_ catalog: Catalog, _ recover: @escaping @Sendable (any CommitLog) -> Void) {
    let log = OvertakenLog(
      catalog: catalog,
      onClaim: { [self] in
        hasBegun.signal()
        _ = mayGoOn.wait(timeout: .now() + Self.limit)
      })
    DispatchQueue(label: "snapjob.late").async { [self] in
      recover(log)
      hasBegun.signal()
      hasEnded.signal()
    }
    _ = hasBegun.wait(timeout: .now() + Self.limit)
  }

  /// Lets it go on, and waits for its end.
  func end() {
    for _ in 0..<100 { mayGoOn.signal() }
    _ = hasEnded.wait(timeout: .now() + Self.limit)
  }
}

/// A catalog's commits; something happens before a worker's lock is asked for.
private struct OvertakenLog: CommitLog {
  let catalog: Catalog
  let onClaim: @Sendable () -> Void

  var catalogID: CatalogID { catalog.catalogID }
  var catalogPath: String { catalog.catalogPath }
  var stagedStateDirectory: String { catalog.stagedStateDirectory }

  func claim(_ id: CommitID) throws(JobError) -> CommitClaim? {
    onClaim()
    return try catalog.claim(id)
  }

  func writeIntent(_ intent: CommitIntent) throws(JobError) -> CommitClaim {
    try catalog.writeIntent(intent)
  }
  func decide(
    _ decision: CommitDecision, _ id: CommitID
  ) throws(CommitLogError) -> CommitDecision { try catalog.decide(decision, id) }
  func settle(_ id: CommitID, _ settlement: CommitSettlement) throws(JobError) {
    try catalog.settle(id, settlement)
  }
  func unsettledCommits() throws(JobError) -> [CommitRow] { try catalog.unsettledCommits() }
  func unconfirmedCommits() throws(JobError) -> [CommitRow] { try catalog.unconfirmedCommits() }
  func commit(_ id: CommitID) throws(JobError) -> CommitRow? { try catalog.commit(id) }
  func makeDecisionsDurable() throws(JobError) { try catalog.makeDecisionsDurable() }
  func confirm(_ members: Set<Int>, of id: CommitID) throws(JobError) {
    try catalog.confirm(members, of: id)
  }
  func outcome(ofJob job: JobID) throws(JobError) -> CommitJobOutcome {
    try catalog.outcome(ofJob: job)
  }
  func imagesToClean() throws(JobError) -> [String] { try catalog.imagesToClean() }
  func noteClean(_ path: String) throws(JobError) { try catalog.noteClean(path) }
  func note(_ stamps: [StagedStateStamp]) throws(JobError) { try catalog.note(stamps) }
  func deviceStates(of commits: [CommitID]) throws(JobError) -> [CommitID: CommitNotes] {
    try catalog.deviceStates(of: commits)
  }
}
