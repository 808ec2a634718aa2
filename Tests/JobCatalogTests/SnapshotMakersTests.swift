import GRDB
import Jobs
import Qcow2
import SnapshotJobs
import Testing

@testable import JobCatalog

@Suite struct SnapshotMakersTests {
  private let home: TemporaryCatalog
  private let catalog: Catalog

  init() throws {
    home = try TemporaryCatalog()
    catalog = try home.open()
  }

  private func key(_ tag: String, id: String = "1") -> SnapshotKey {
    SnapshotKey(tag: Array(tag.utf8), id: id, seconds: 7, nanoseconds: 8)
  }

  private func file(_ inode: UInt64) -> FileIdentity { FileIdentity(device: 1, inode: inode) }

  private func content(_ path: String, _ inode: UInt64, _ keys: SnapshotKey...) -> ImageContent {
    ImageContent(path: path, identity: file(inode), snapshots: Set(keys))
  }

  private func isKnown(_ key: SnapshotKey) throws -> Bool {
    try catalog.makers(of: [key])[key] != nil
  }

  /// Enters the intent of a save of a job.
  private func enter(_ keys: SnapshotKey..., path: String = "/a") throws -> CommitIntent {
    let plain = commitIntent(jobs: [try JobID("job1")], paths: [path])
    return try catalog.enter(
      CommitIntent(
        id: plain.id, jobs: plain.jobs, created: plain.created,
        members: plain.members.map {
          CommitIntent.Member(
            node: $0.node, path: $0.path, sectors: $0.sectors, job: plain.jobs.first,
            madeSnapshots: keys, identity: file(5))
        }))
  }

  private func settle(_ intent: CommitIntent, _ contents: ImageContent...) throws {
    try catalog.settle(
      intent.id,
      CommitSettlement(.record, confirmed: [0], isDurable: true, contents: contents))
  }

  @Test func whatACommitMakesIsKnownFromItsIntentOnUnlessItIsUndone() throws {
    _ = try catalog.insert([newJob("job1")])
    let undone = try enter(key("a"))
    #expect(try isKnown(key("a")))
    try catalog.settleAll(undone, .undone)
    #expect(try !isKnown(key("a")))
    let done = try enter(key("b"))
    // As recovery settles it, which does not know what the image has.
    try catalog.settleAll(done)
    #expect(try catalog.makers(of: [key("b")])[key("b")]?.job == JobID("job1"))
    #expect(try !isKnown(key("b", id: "2")))
    #expect(try catalog.check().isEmpty)
  }

  @Test func whatIsMadeWithoutAJobIsNotSnapjobs() throws {
    let plain = commitIntent(paths: ["/a"])
    let intent = CommitIntent(
      id: plain.id, jobs: [], created: plain.created,
      members: [
        CommitIntent.Member(
          node: "disk0", path: "/a", sectors: plain.members[0].sectors, madeSnapshots: [key("a")],
          identity: file(5))
      ])
    try catalog.settleAll(try catalog.enter(intent))
    #expect(try !isKnown(key("a")))
  }

  @Test func aSnapshotIsForgottenWithTheLastImageThatHadIt() throws {
    try settle(try enter(key("a"), key("b")), content("/a", 5, key("a"), key("b")))
    // A copy of the image, which a later commit has seen, and the image after it was moved.
    try settle(try enter(key("c"), path: "/copy"), content("/copy", 6, key("a"), key("c")))
    try settle(try enter(), content("/moved", 5, key("a")))
    #expect(try isKnown(key("a")))
    #expect(try !isKnown(key("b")))
    try settle(try enter(), content("/moved", 5))
    #expect(try isKnown(key("a")))
    try settle(try enter(), content("/copy", 6))
    #expect(try !isKnown(key("a")))
    #expect(try !isKnown(key("c")))
    let left = try catalog.database.read { db in
      try Int.fetchOne(db, sql: "SELECT count(*) FROM snapshot_image")
    }
    #expect(left == 0)
  }

  @Test func anotherFileUnderThePathSaysNothing() throws {
    try settle(try enter(key("a")), content("/a", 5, key("a")))
    try settle(try enter(), content("/a", 77))
    #expect(try isKnown(key("a")))
  }

  @Test func aLaterOneHasAHigherNumberWhateverItsDate() throws {
    try settle(try enter(key("b")), content("/a", 5, key("b")))
    try settle(try enter(key("a")), content("/a", 5, key("b"), key("a")))
    let makers = try catalog.makers(of: [key("a"), key("b")])
    #expect(try #require(makers[key("a")]).sequence > #require(makers[key("b")]).sequence)
  }

  @Test func whatRunningMachinesTakeIsKnownFromTheConclusion() throws {
    let taken =
      #"{"node": "d", "path": "/a", "id": "1", "dateSeconds": 7, "dateNanoseconds": 8}"#
    try conclude("job1", tag: "a", taken: taken, note: "a note")
    let maker = try #require(try catalog.makers(of: [key("a")])[key("a")])
    #expect(maker.job == (try JobID("job1")))
    #expect(maker.note == "a note")
  }

  @Test func whatEarlierVersionsTookIsKnownByTagAndDate() throws {
    let old = CatalogMigrations(steps: Array(CatalogMigrations.current.steps.prefix(6)))
    let taken = #"{"node": "d", "path": "/a", "dateSeconds": 7, "dateNanoseconds": 8}"#
    try conclude("job1", tag: "a", taken: taken)
    let versionSix = home.directory + "/six.sqlite"
    do {
      let database = try CatalogDatabase(
        path: versionSix, settings: CatalogDatabase.Settings(migrations: old))
      try database.write { db in
        try db.execute(
          sql: """
            INSERT INTO job_transaction VALUES (1, 0);
            INSERT INTO job (id, type, subject, txn, auto_finalize, auto_dismiss, arguments, result,
              status, progress_current, progress_total, created)
            VALUES ('job1', 'snapshot-save', 'm', 1, 1, 0,
              '{"operation": "snapshot-save", "tag": "a", "devices": [], "diskOnly": false,
                "existOK": false, "replace": false, "moreTags": [], "mustExist": false}',
              '{"bytesWritten": 0, "bytesFreed": 0, "remarks": [], "takenSnapshots": [\(taken)]}',
              'concluded', 0, 0, 0)
            """)
      }
      database.close()
    }
    let catalog = try Catalog(path: versionSix)
    let makers = try catalog.makers(of: [key("a", id: "9"), key("b")])
    #expect(makers[key("a", id: "9")]?.job == (try JobID("job1")))
    #expect(makers.count == 1)
  }

  private func conclude(
    _ id: String, tag: String, taken: String, note: String? = nil
  ) throws {
    var job = JobRecord(
      id: try JobID(id), type: "snapshot-save", subject: "m", autoFinalize: true,
      autoDismiss: false, note: note,
      arguments: """
        {"operation": "snapshot-save", "tag": "\(tag)", "devices": [], "diskOnly": false,
         "existOK": false, "replace": false, "moreTags": [], "mustExist": false}
        """, created: Timestamp(microseconds: 0))
    job = try catalog.insert([job])[0]
    job.status = .concluded
    job.result = """
      {"bytesWritten": 0, "bytesFreed": 0, "remarks": [], "takenSnapshots": [\(taken)]}
      """
    try catalog.record([job], at: Timestamp(microseconds: 1))
  }
}
