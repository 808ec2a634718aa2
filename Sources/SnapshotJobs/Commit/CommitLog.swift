public import Jobs
public import Qcow2

/// Where commit records are kept.
public protocol CommitLog: Sendable {
  /// The catalog's own id, which its images carry.
  var catalogID: CatalogID { get }

  /// The catalog's path, for messages.
  var catalogPath: String { get }

  /// Writes a record durably (one `synchronous=FULL` transaction): the commit point.
  ///
  /// - Throws: `JobError` if COMMIT reported an error; whether the record is there is unknown then.
  func append(_ record: CommitRecord) throws(JobError)

  /// Writes a record and marks another as done in the same durable transaction: what was open goes on
  /// under the new record.
  ///
  /// - Throws: as ``append(_:)``; both or neither have happened.
  func append(_ record: CommitRecord, closing old: CommitID, note: String) throws(JobError)

  /// Looks for a record through a connection of its own.
  func contains(_ id: CommitID) throws(JobError) -> Bool

  /// The records that are not done, oldest first.
  func openRecords() throws(JobError) -> [CommitRecord]

  /// Durably marks a record as done (or as abandoned, with the reason); its space may be reused then.
  func close(_ id: CommitID, note: String?) throws(JobError)

  /// Durably notes that the jobs concluded with this error although their record may turn up later.
  func refuse(_ id: CommitID) throws(JobError)

  /// What became of the newest record that names a job (the one of this id that is not dismissed).
  func outcome(ofJob job: JobID) throws(JobError) -> RecordOutcome

  /// Whether a commit id was written by this catalog, open or done.
  func knows(_ id: CommitID) throws(JobError) -> Bool

  // MARK: Device states of stored machines

  /// The directory for device states that wait for the next save; it is made when it is needed.
  var stagedStateDirectory: String { get }

  /// What was noted of images.
  ///
  /// - Parameter commits: the ids of the commits that the images carry as their last.
  /// - Returns: the notes that there are; nothing of commits that no state goes with.
  /// - Throws: `JobError` if the catalog cannot be read.
  func deviceStates(of commits: [CommitID]) throws(JobError) -> [CommitID: CommitNotes]

  /// Notes what the files of images look like that a state which waits goes with; where a note says something else
  /// than it is expected to, it stays.
  func note(_ stamps: [StagedStateStamp]) throws(JobError)
}

/// What became of the commit record of a job.
public enum RecordOutcome: Sendable, Hashable {
  /// There is none, or it was refused: the commit point was not reached.
  case none
  /// It is open: recovery decides.
  case open
  /// Everything that it stands for is permanent.
  case done
  /// It was closed without that, for this reason.
  case closed(note: String)
}
