public import Jobs
public import SnapshotJobs

extension Catalog: SnapshotMakers {
  /// The makers of snapshots, as far as they were made with this catalog.
  public func makers(
    of snapshots: Set<SnapshotKey>
  ) throws(JobError) -> [SnapshotKey: SnapshotMaker] {
    try database.read { db in
      let table = SnapshotMakerTable(db)
      var makers: [SnapshotKey: SnapshotMaker] = [:]
      for key in snapshots { makers[key] = try table.maker(of: key) }
      return makers
    }
  }
}
