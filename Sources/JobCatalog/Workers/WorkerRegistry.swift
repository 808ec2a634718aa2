import FileNames
import Foundation
import GRDB
import Glibc
import Jobs
import SnapshotJobs
import Synchronization

/// Which processes work with a catalog, and which of them still live.
///
/// A process becomes a worker with its first job. It holds the lock of a file of its own from
/// before anyone can see it in the catalog until it ends, however it ends.
final class WorkerRegistry: Sendable {
  private let database: CatalogDatabase
  private let bootID = Clock.bootID()
  private let own = Mutex(Membership.none)

  private enum Membership {
    case none
    case worker(Worker)
    case ended
  }

  private struct Worker {
    let number: Int64
    let lockPath: String
    let lock: OpenFileLock
    /// The byte that the last commit has locked.
    var lastByte: Int64 = 0
  }

  /// What shows others that this process is at a commit: a locked byte of the worker's file.
  struct Claim: Sendable {
    let worker: Int64
    let pid: Int32
    let byte: Int64
  }

  init(database: CatalogDatabase) { self.database = database }

  /// This process's number, if it is a worker already.
  var number: Int64? {
    own.withLock { membership in
      guard case .worker(let worker) = membership else { return nil }
      return worker.number
    }
  }

  /// This process's number; enters it into the catalog first if need be.
  func register() throws(JobError) -> Int64 {
    try own.withLock { membership throws(JobError) in
      switch membership {
      case .worker(let worker): return worker.number
      case .ended: throw database.failure.unusable("has been closed", "Open it again")
      case .none:
        let worker = try join()
        membership = .worker(worker)
        return worker.number
      }
    }
  }

  private func join() throws(JobError) -> Worker {
    try database.makeLockDirectory()
    let token = String(UInt64.random(in: .min ... .max), radix: 16)
    let name = "\(getpid())-\(token).lock"
    let path = database.lockDirectory + "/" + name
    let lock: OpenFileLock
    switch OpenFileLock.acquire(path) {
    case .locked(let acquired): lock = acquired
    case .held: throw database.failure.systemError(EAGAIN, doing: "lock \(path)")
    case .failed(let code): throw database.failure.systemError(code, doing: "lock \(path)")
    }
    do throws(JobError) {
      let number = try database.write { db in
        try db.execute(
          sql: "INSERT INTO worker (pid, uid, lock_file, boot_id, started) VALUES (?, ?, ?, ?, ?)",
          arguments: [getpid(), geteuid(), name, bootID, Clock.now().microseconds])
        return db.lastInsertedRowID
      }
      return Worker(number: number, lockPath: path, lock: lock)
    } catch {
      unlink(path)
      throw error
    }
  }

  /// Locks one more byte for a commit; registers this process first if need be.
  func claim() throws(JobError) -> Claim {
    let number = try register()
    let byte = own.withLock { membership -> Int64? in
      guard case .worker(var worker) = membership else { return nil }
      worker.lastByte += 1
      membership = .worker(worker)
      return worker.lock.lock(byte: worker.lastByte) ? worker.lastByte : nil
    }
    guard let byte else {
      throw database.failure.unusable("cannot be worked on: no lock for a commit", "Try again")
    }
    return Claim(worker: number, pid: getpid(), byte: byte)
  }

  /// Lets go of a commit.
  func release(_ claim: Claim) {
    own.withLock { membership in
      if case .worker(let worker) = membership { worker.lock.unlock(byte: claim.byte) }
    }
  }

  /// Keeps a worker from going on with a commit, beside others who do the same; nil while it is at it.
  func share(_ worker: WorkerRow, byte: Int64) throws(JobError) -> CommitClaim? {
    let isOtherBoot = !bootID.isEmpty && !worker.bootID.isEmpty && bootID != worker.bootID
    guard let name = worker.lockFile, isPlain(name), !isOtherBoot else { return CommitClaim {} }
    let path = database.lockDirectory + "/" + name
    switch OpenFileLock.share(path, byte: byte) {
    case .locked(let lock): return CommitClaim { withExtendedLifetime(lock) {} }
    case .held: return nil
    // Nobody takes the name of a lock file a second time.
    case .failed(ENOENT): return CommitClaim {}
    case .failed(let code): throw database.failure.systemError(code, doing: "lock \(path)")
    }
  }

  /// Whether a worker's process still runs. When that cannot be found out, it is taken to run:
  /// its jobs are then left alone.
  func isAlive(_ worker: WorkerRow) -> Bool {
    if let number, number == worker.number { return true }
    guard let name = worker.lockFile, isPlain(name) else { return false }
    if !bootID.isEmpty, !worker.bootID.isEmpty, bootID != worker.bootID { return false }
    return OpenFileLock.isHeld(database.lockDirectory + "/" + name) ?? true
  }

  /// Removes the lock files of workers that have ended and have no job left to recover.
  func removeLeftovers() throws(JobError) {
    let candidates = try database.read { db in try WorkerRow.withoutOpenJobs(db) }
    let dead = candidates.filter { !isAlive($0) }
    guard !dead.isEmpty else { return }
    for name in dead.compactMap(\.lockFile) where isPlain(name) {
      unlink(database.lockDirectory + "/" + name)
    }
    try database.write { db in
      for worker in dead {
        try db.execute(
          sql: "UPDATE worker SET lock_file = NULL WHERE number = ?", arguments: [worker.number])
      }
    }
  }

  /// Lets go of this process's lock: its jobs are anybody's to recover from now on.
  func close() {
    own.withLock { membership in
      if case .worker(let worker) = membership { unlink(worker.lockPath) }
      membership = .ended
    }
  }

  /// Whether a name from the catalog stays inside the lock directory.
  private func isPlain(_ name: String) -> Bool { !name.isEmpty && !name.hasSlash }
}

/// A worker as the catalog has it.
struct WorkerRow: Sendable {
  let number: Int64
  let pid: Int32
  let uid: UInt32
  /// The name of its lock file; nil once that has been removed.
  let lockFile: String?
  let bootID: String

  /// Reads a row; the columns' names begin with `worker_`.
  init(_ row: Row) throws {
    number = try row.value("worker_number")
    pid = try row.value("worker_pid")
    uid = try row.value("worker_uid")
    lockFile = try row.optional("worker_lock_file")
    bootID = try row.value("worker_boot_id")
  }

  /// The columns that ``init(_:)`` reads.
  static let columns = """
    worker.number AS worker_number, worker.pid AS worker_pid, worker.uid AS worker_uid,
    worker.lock_file AS worker_lock_file, worker.boot_id AS worker_boot_id
    """

  /// Workers that have a lock file, no job that is not concluded and no commit that is not settled.
  static func withoutOpenJobs(_ db: Database) throws -> [WorkerRow] {
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT \(columns) FROM worker WHERE lock_file IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM job WHERE job.worker = worker.number AND \(JobRow.isOpen))
        AND NOT EXISTS (SELECT 1 FROM commit_intent
          WHERE commit_intent.worker = worker.number AND \(CommitTable.isOpen))
        """)
    return try rows.map(WorkerRow.init)
  }
}
