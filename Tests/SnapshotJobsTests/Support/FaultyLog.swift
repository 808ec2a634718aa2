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

  func append(_ record: CommitRecord) throws(JobError) {
    try storage.passCatalog()
    try catalog.append(record)
    try storage.passCatalog()
  }

  func append(
    _ record: CommitRecord, closing old: CommitID, note: String
  ) throws(JobError) {
    try storage.passCatalog()
    try catalog.append(record, closing: old, note: note)
    try storage.passCatalog()
  }

  func close(_ id: CommitID, note: String?) throws(JobError) {
    try storage.passCatalog()
    try catalog.close(id, note: note)
    try storage.passCatalog()
  }

  func refuse(_ id: CommitID) throws(JobError) {
    try storage.passCatalog()
    try catalog.refuse(id)
    try storage.passCatalog()
  }

  func contains(_ id: CommitID) throws(JobError) -> Bool {
    try storage.requirePower()
    return try catalog.contains(id)
  }

  func openRecords() throws(JobError) -> [CommitRecord] {
    try storage.requirePower()
    return try catalog.openRecords()
  }

  func outcome(ofJob job: JobID) throws(JobError) -> RecordOutcome {
    try storage.requirePower()
    return try catalog.outcome(ofJob: job)
  }

  func knows(_ id: CommitID) throws(JobError) -> Bool {
    try storage.requirePower()
    return try catalog.knows(id)
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
