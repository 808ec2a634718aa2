import GRDB
import Jobs
import Qcow2
import SnapshotJobs
import Testing

@testable import JobCatalog

/// A commit record over these files.
func commitRecord(
  id: CommitID = CommitID(), jobs: [JobID] = [], nature: CommitNature = .plainSave(tag: "t"),
  paths: [String]
) -> CommitRecord {
  let images = paths.enumerated().map { index, path in
    ImageCommit(
      node: "disk\(index)", path: path,
      identity: FileIdentity(device: .max - UInt64(index), inode: 1 << 63 | UInt64(index)),
      bootID: "boot", version: 3,
      stamp: FileStamp(length: .max, modified: -1, changed: Int64(index)),
      before: (0..<512).map { UInt8(truncatingIfNeeded: $0 + index) },
      after: (0..<512).map { UInt8(truncatingIfNeeded: $0 ^ 0xFF) })
  }
  return CommitRecord(
    id: id, jobs: jobs, nature: nature, created: Timestamp(microseconds: 42), images: images)
}

@Suite struct CatalogCommitLogTests {
  let home: TemporaryCatalog
  let catalog: Catalog

  init() throws {
    home = try TemporaryCatalog()
    catalog = try home.open()
  }

  @Test(arguments: [
    CommitNature.plainSave(tag: "before \u{E4} '\"\\"),
    .plainDelete(tags: ["a", "b"]),
    .plainDelete(tags: []),
    .other,
  ])
  func aRecordIsReadBackAsItWasWritten(nature: CommitNature) throws {
    let record = commitRecord(
      jobs: [try JobID("b"), try JobID("a")], nature: nature, paths: ["/a", "/b", "/c"])
    try catalog.append(record)
    #expect(try catalog.openRecords() == [record])
    #expect(try home.open().openRecords() == [record])
  }

  @Test func openRecordsComeOldestFirst() throws {
    let records = (0..<3).map { _ in commitRecord(paths: ["/a"]) }
    for record in records { try catalog.append(record) }
    #expect(try catalog.openRecords().map(\.id) == records.map(\.id))
    try catalog.close(records[1].id, note: nil)
    #expect(try catalog.openRecords().map(\.id) == [records[0].id, records[2].id])
  }

  @Test func aClosedRecordIsKnownButNotOpen() throws {
    let record = commitRecord(paths: ["/a"])
    #expect(try !catalog.knows(record.id))
    try catalog.append(record)
    try catalog.close(record.id, note: "abandoned")
    try catalog.close(record.id, note: "again")
    #expect(try catalog.openRecords().isEmpty)
    #expect(try catalog.knows(record.id))
    #expect(try catalog.contains(record.id))
    let note = try catalog.database.read { db in
      try String.fetchOne(db, sql: "SELECT note FROM commit_record")
    }
    #expect(note == "abandoned")
  }

  @Test func closingWhatIsNotThereIsAnError() throws {
    #expect(failure { try catalog.close(CommitID(), note: nil) }?.kind == .notFound)
  }

  @Test func anAppendedRecordIsSeenThroughANewConnection() throws {
    let record = commitRecord(paths: ["/a"])
    #expect(try !catalog.contains(record.id))
    try catalog.append(record)
    #expect(try catalog.contains(record.id))
    #expect(try home.open().contains(record.id))
  }

  @Test func aRefusedRecordDoesNotCountEvenIfItTurnsUp() throws {
    let record = commitRecord(paths: ["/a"])
    try catalog.append(record)
    try catalog.refuse(record.id)
    try catalog.refuse(record.id)
    #expect(try catalog.openRecords().isEmpty)
    #expect(try !catalog.contains(record.id))
    #expect(try !catalog.knows(record.id))
  }

  @Test func aRefusedIdCannotBeRecordedLater() throws {
    let record = commitRecord(paths: ["/a"])
    try catalog.refuse(record.id)
    #expect(failure { try catalog.append(record) }?.kind == .conflict)
    #expect(try catalog.openRecords().isEmpty)
  }

  @Test func aRecordIsAppendedOnce() throws {
    let record = commitRecord(paths: ["/a"])
    try catalog.append(record)
    #expect(failure { try catalog.append(record) }?.kind == .catalog)
    #expect(try catalog.openRecords() == [record])
  }

  @Test(arguments: [
    "UPDATE commit_record SET nature = '{\"unheardOf\":{}}'",
    "UPDATE commit_record SET nature = ''",
    "UPDATE commit_record SET id = zeroblob(16)",
    "UPDATE commit_job SET id = 'not an id'",
    "UPDATE commit_image SET version = -3",
    "UPDATE commit_image SET before = x'00'",
    "UPDATE commit_image SET after = zeroblob(513)",
    "UPDATE commit_image SET path = CAST(x'FF' AS TEXT)",
  ])
  func badContentOfARecordThrowsOrIsReadAsText(edit: String) throws {
    let record = commitRecord(jobs: [try JobID("a")], paths: ["/a"])
    try catalog.append(record)
    try catalog.database.withWriter { db in
      try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
      try db.execute(sql: edit)
    }
    if edit.contains("path") {
      // Text that is no UTF-8 becomes another text, under which no file is found.
      #expect(try catalog.openRecords().first?.images.first?.path == "\u{FFFD}")
    } else {
      let error = failure { _ = try catalog.openRecords() }
      #expect(error?.kind == .catalog)
      #expect(error?.message.contains(catalog.path) == true)
      #expect(try !catalog.check().isEmpty)
    }
  }

  @Test func theCatalogsIdStaysAndDiffersFromAnothers() throws {
    #expect(try home.open().catalogID == catalog.catalogID)
    #expect(try TemporaryCatalog().open().catalogID != catalog.catalogID)
    #expect(catalog.catalogPath == home.path)
  }

  @Test func aFullDiskIsReportedAndLeavesNoRecord() throws {
    try catalog.database.withWriter { db in
      let pages = try #require(try Int.fetchOne(db, sql: "PRAGMA page_count"))
      _ = try Int.fetchOne(db, sql: "PRAGMA max_page_count = \(pages)")
    }
    let record = commitRecord(paths: (0..<500).map { "/\($0)" })
    let error = failure { try catalog.append(record) }
    #expect(error?.kind == .noSpace)
    #expect(error?.message.contains(catalog.path) == true)
    #expect(try !catalog.contains(record.id))
    #expect(try catalog.openRecords().isEmpty)
  }
}
