import GRDB
public import Jobs
public import Qcow2
public import SnapshotJobs

extension Catalog {
  /// Where device states wait for the next save: beside the catalog.
  public var stagedStateDirectory: String { path + ".states" }

  /// What was noted of the images that carry these ids.
  public func deviceStates(
    of commits: [CommitID]
  ) throws(JobError) -> [CommitID: DeviceStateNote] {
    if commits.isEmpty { return [:] }
    return try database.read { db in try DeviceStateTable(db).notes(of: commits) }
  }

  /// Forgets device states so that it survives a power failure.
  public func forgetDeviceStates(_ states: [DeviceStateID]) throws(JobError) {
    try database.writeDurably { db in try DeviceStateTable(db).forget(states) }
  }

  /// Notes length and times of images.
  public func stampDeviceStates(_ stamps: [CommitID: FileStamp]) throws(JobError) {
    try database.write { db in
      for (commit, stamp) in stamps { try DeviceStateTable(db).stamp(commit, stamp) }
    }
  }

  /// Removes the files of states that nothing goes with any more.
  func removeStateLeftovers() throws(JobError) {
    try StagedStates.removeLeftovers(in: stagedStateDirectory) { name throws(JobError) in
      try database.read { db in try DeviceStateTable(db).isNoted(file: name) }
    }
  }
}
