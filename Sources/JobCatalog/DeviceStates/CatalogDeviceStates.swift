import GRDB
public import Jobs
public import Qcow2
public import SnapshotJobs

extension Catalog {
  /// Where device states wait for the next save: beside the catalog.
  public var stagedStateDirectory: String { path + ".states" }

  /// What was noted of the images of commits.
  public func deviceStates(
    of commits: [CommitID]
  ) throws(JobError) -> [CommitID: CommitNotes] {
    if commits.isEmpty { return [:] }
    return try database.read { db in try DeviceStateTable(db).notes(of: commits) }
  }

  /// Notes what the files of images look like that a state which waits goes with.
  public func note(_ stamps: [StagedStateStamp]) throws(JobError) {
    try database.write { db in
      for stamp in stamps { try DeviceStateTable(db).note(stamp) }
    }
  }

  /// Removes the files of states that nothing goes with any more.
  func removeStateLeftovers() throws(JobError) {
    try StagedStates.removeLeftovers(in: stagedStateDirectory) { name throws(JobError) in
      try database.read { db in try DeviceStateTable(db).isNoted(file: name) }
    }
  }
}
