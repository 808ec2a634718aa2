import Jobs
import Qcow2
import SnapshotJobs

/// A commit log that has the commits which a test left, and keeps none.
struct MemoryCommits: CommitLog {
  let catalogID = CatalogID()
  /// The commits that are not settled.
  var rows: [CommitRow] = []
  var catalogPath: String { "/catalog.sqlite" }

  func writeIntent(_ intent: CommitIntent) throws(JobError) -> CommitClaim { CommitClaim {} }
  func decide(
    _ decision: CommitDecision, _ id: CommitID
  ) throws(CommitLogError) -> CommitDecision { decision }
  func settle(_ id: CommitID, _ settlement: CommitSettlement) throws(JobError) {}
  func unsettledCommits() throws(JobError) -> [CommitRow] { rows }
  func unconfirmedCommits() throws(JobError) -> [CommitRow] { [] }
  func commit(_ id: CommitID) throws(JobError) -> CommitRow? {
    rows.first { $0.intent.id == id }
  }
  func claim(_ id: CommitID) throws(JobError) -> CommitClaim? { CommitClaim {} }
  func makeDecisionsDurable() throws(JobError) {}
  func confirm(_ members: Set<Int>, of id: CommitID) throws(JobError) {}
  func outcome(ofJob job: JobID) throws(JobError) -> CommitJobOutcome { .none }
  func imagesToClean() throws(JobError) -> [String] { [] }
  func noteClean(_ path: String) throws(JobError) {}
  var stagedStateDirectory: String { "/catalog.sqlite.states" }
  func deviceStates(of commits: [CommitID]) throws(JobError) -> [CommitID: CommitNotes] { [:] }
  func note(_ stamps: [StagedStateStamp]) throws(JobError) {}
}

extension CommitRow {
  /// A commit of a job over one image, as a process left it that ended before it decided.
  static func left(by job: JobID, on path: String) -> CommitRow {
    let sector = FirstSector(onDisk: [UInt8](repeating: 0, count: FirstSector.byteCount))
    let member = CommitIntent.Member(
      node: "disk0", path: path,
      sectors: CommitSectors(before: sector, fenced: sector, after: sector))
    return CommitRow(
      intent: CommitIntent(id: CommitID(), jobs: [job], created: .now(), members: [member]),
      decision: nil, isSettled: false, isConfirmed: [false], workerPID: 9)
  }
}
