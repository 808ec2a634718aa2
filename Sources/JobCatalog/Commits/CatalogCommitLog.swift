import GRDB
public import Jobs
public import Qcow2
public import SnapshotJobs

extension Catalog: CommitLog {
  /// The catalog's path, for messages.
  public var catalogPath: String { path }

  /// Writes a record so that it survives a power failure.
  public func append(_ record: CommitRecord) throws(JobError) {
    try database.writeDurably { db in try CommitTable(db).insert(record) }
  }

  /// Writes a record and marks another as done, both so that they survive a power failure.
  public func append(
    _ record: CommitRecord, closing old: CommitID, note: String
  ) throws(JobError) {
    try database.writeDurably { db in
      try CommitTable(db).insert(record)
      try CommitTable(db).close(old, note: note, at: Clock.now())
    }
  }

  /// Looks for a record through a connection of its own; one that was refused does not count.
  public func contains(_ id: CommitID) throws(JobError) -> Bool {
    try database.readThroughNewConnection { db in try CommitTable(db).contains(id) }
  }

  /// The records that are neither done nor refused, oldest first.
  public func openRecords() throws(JobError) -> [CommitRecord] {
    try database.read { db in try CommitTable(db).openRecords() }
  }

  /// Marks a record as done so that it survives a power failure; a second time changes nothing.
  ///
  /// - Throws: `JobError` (not found) if there is no such record, or the catalog's own failure.
  public func close(_ id: CommitID, note: String?) throws(JobError) {
    try database.writeDurably { db in
      try CommitTable(db).close(id, note: note, at: Clock.now())
    }
    // What has waited for this commit is memory of a machine: it goes as soon as it may.
    try? removeStateLeftovers()
  }

  /// Notes, so that it survives a power failure, that a record does not count should it turn up.
  public func refuse(_ id: CommitID) throws(JobError) {
    try database.writeDurably { db in try CommitTable(db).refuse(id, at: Clock.now()) }
  }

  /// What became of the newest record that names a job.
  public func outcome(ofJob job: JobID) throws(JobError) -> RecordOutcome {
    try database.read { db in try CommitTable(db).outcome(ofJob: job) }
  }

  /// Whether a commit was recorded here, open or done; one that was refused was not.
  public func knows(_ id: CommitID) throws(JobError) -> Bool {
    try database.read { db in try CommitTable(db).contains(id) }
  }
}
