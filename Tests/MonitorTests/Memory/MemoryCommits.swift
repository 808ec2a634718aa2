import Jobs
import Qcow2
import SnapshotJobs

/// A commit log without records.
struct MemoryCommits: CommitLog {
  let catalogID = CatalogID()
  var catalogPath: String { "/catalog.sqlite" }

  func append(_ record: CommitRecord) throws(JobError) {}
  func append(_ record: CommitRecord, closing old: CommitID, note: String) throws(JobError) {}
  func contains(_ id: CommitID) throws(JobError) -> Bool { false }
  func openRecords() throws(JobError) -> [CommitRecord] { [] }
  func close(_ id: CommitID, note: String?) throws(JobError) {}
  func refuse(_ id: CommitID) throws(JobError) {}
  func outcome(ofJob job: JobID) throws(JobError) -> RecordOutcome { .none }
  func knows(_ id: CommitID) throws(JobError) -> Bool { false }
  var stagedStateDirectory: String { "/catalog.sqlite.states" }
  func deviceStates(of commits: [CommitID]) throws(JobError) -> [CommitID: CommitNotes] { [:] }
  func note(_ stamps: [StagedStateStamp]) throws(JobError) {}
}
