import Foundation
import GRDB
import Jobs
import Testing

@testable import JobCatalog

@Suite struct WorkerRegistryTests {
  let home: TemporaryCatalog

  init() throws { home = try TemporaryCatalog() }

  private func lockFiles() throws -> [String] {
    let directory = home.path + ".workers"
    guard FileManager.default.fileExists(atPath: directory) else { return [] }
    return try FileManager.default.contentsOfDirectory(atPath: directory)
      .filter { $0 != "migration.lock" }
  }

  private func permissions(_ path: String) throws -> Int? {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return (attributes[.posixPermissions] as? NSNumber)?.intValue
  }

  @Test func aProcessIsAWorkerOnlyFromItsFirstJobOn() throws {
    let catalog = try home.open()
    _ = try catalog.jobs()
    #expect(try lockFiles().isEmpty)
    _ = try catalog.insert([newJob("a", subject: nil)])
    _ = try catalog.insert([newJob("b", subject: nil)])
    let files = try lockFiles()
    #expect(files.count == 1)
    let file = try #require(files.first)
    #expect(try permissions(home.path + ".workers") == 0o700)
    #expect(try permissions(home.path + ".workers/" + file) == 0o600)
  }

  @Test func anotherProcessSeesAWorkerLiveAndDie() throws {
    let worker = try home.open()
    let observer = try home.open()
    _ = try worker.insert([newJob("job1")])
    #expect(try observer.job(JobID("job1"))?.worker?.isAlive == true)
    #expect(try observer.jobs().first?.worker?.isAlive == true)
    worker.close()
    let record = try #require(try observer.job(JobID("job1")))
    #expect(record.worker?.isAlive == false)
    #expect(record.worker?.pid == getpid())
    #expect(record.status == .created)
  }

  @Test func twoValuesInOneProcessAreTwoWorkers() throws {
    let first = try home.open()
    let second = try home.open()
    _ = try first.insert([newJob("a", subject: nil)])
    _ = try second.insert([newJob("b", subject: nil)])
    let workers = try first.jobs().compactMap(\.worker)
    #expect(Set(workers.map(\.id)).count == 2)
    first.close()
    #expect(try second.job(JobID("a"))?.worker?.isAlive == false)
    #expect(try second.job(JobID("b"))?.worker?.isAlive == true)
  }

  @Test func afterARebootEveryWorkerHasEnded() throws {
    let worker = try home.open()
    let observer = try home.open()
    _ = try worker.insert([newJob("job1")])
    try observer.database.write { db in
      try db.execute(sql: "UPDATE worker SET boot_id = 'another boot'")
    }
    #expect(try observer.job(JobID("job1"))?.worker?.isAlive == false)
  }

  /// A worker that was killed: its lock is free, its file still there.
  private func killedWorker(job: String) throws {
    let worker = try home.open()
    _ = try worker.insert([newJob(job, subject: nil)])
    let file = try #require(try lockFiles().first)
    worker.close()
    let path = home.path + ".workers/" + file
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
  }

  @Test func aDeadWorkersLockFileStaysUntilItsJobsHaveConcluded() throws {
    try killedWorker(job: "orphan")
    let catalog = try home.open()
    #expect(try lockFiles().count == 1)
    #expect(try catalog.job(JobID("orphan"))?.worker?.isAlive == false)
    try catalog.move("orphan", to: .aborting)
    try catalog.move("orphan", to: .concluded)
    let later = try home.open()
    #expect(try lockFiles().isEmpty)
    #expect(try later.job(JobID("orphan"))?.worker?.pid == getpid())
  }

  @Test func aLiveWorkersLockFileIsNeverRemoved() throws {
    let worker = try home.open()
    _ = try worker.insert([newJob("job1")])
    try worker.move("job1", to: .concluded)
    let observer = try home.open()
    #expect(try lockFiles().count == 1)
    #expect(try observer.job(JobID("job1"))?.worker?.isAlive == true)
  }

  @Test func aLockFileNameFromTheCatalogLeadsNowhereElse() throws {
    let victim = home.directory + "/victim"
    #expect(FileManager.default.createFile(atPath: victim, contents: nil))
    try killedWorker(job: "orphan")
    let catalog = try home.open()
    try catalog.database.write { db in
      try db.execute(sql: "UPDATE worker SET lock_file = '../../victim'")
    }
    try catalog.move("orphan", to: .concluded)
    _ = try home.open()
    #expect(FileManager.default.fileExists(atPath: victim))
  }

  @Test func aClosedCatalogThrowsAndTakesNoJobs() throws {
    let catalog = try home.open()
    _ = try catalog.insert([newJob("job1")])
    catalog.close()
    catalog.close()
    #expect(failure { _ = try catalog.jobs() }?.kind == .catalog)
    #expect(failure { _ = try catalog.changeCounter() }?.kind == .catalog)
    #expect(failure { _ = try catalog.insert([newJob("b")]) }?.kind == .catalog)
    #expect(try lockFiles().isEmpty)
  }

  @Test func aLockIsSeenByOthersForAsLongAsItIsKept() throws {
    let path = home.directory + "/lock"
    #expect(OpenFileLock.isHeld(path) == false)
    do {
      guard case .locked(let lock) = OpenFileLock.acquire(path) else {
        Issue.record("not locked")
        return
      }
      #expect(OpenFileLock.isHeld(path) == true)
      guard case .held = OpenFileLock.acquire(path) else {
        Issue.record("locked twice")
        return
      }
      withExtendedLifetime(lock) {}
    }
    #expect(OpenFileLock.isHeld(path) == false)
  }
}
