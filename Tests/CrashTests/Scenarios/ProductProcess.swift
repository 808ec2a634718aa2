import Dispatch
import FoundationEssentials
import JobCatalog
import Jobs
import Logging
import Qcow2
import SnapshotJobs
import Synchronization
import TestFiles
import TestOracles

/// One process of the product, as far as catalog and images are concerned, with a journal of all that it does.
final class ProductProcess {
  let catalog: Catalog
  let journal: Journal
  private let runner: JobRunner
  let access: ImageAccess
  /// What its jobs had to say besides their ends.
  private(set) var remarks: [String] = []
  private let files: ObservedFiles
  private let directory: String

  /// Opens a catalog.
  ///
  /// - Parameters:
  ///   - catalogPath: the database.
  ///   - journal: where everything is entered.
  ///   - protection: the guards of the commit protocol.
  /// - Throws: if the catalog cannot be used.
  init(catalogPath: String, journal: Journal, protection: Protection) throws {
    self.journal = journal
    files = ObservedFiles(observer: JournalObserver(journal: journal))
    directory = catalogPath.split(separator: "/").dropLast().map { "/\($0)" }.joined()
    CatalogRecorder.set(journal, for: directory)
    var logger = Logger(label: "crash")
    logger.logLevel = .critical
    catalog = try Catalog(path: catalogPath, logger: logger)
    access = ImageAccess(log: catalog, files: files)
    runner = JobRunner(store: catalog, committer: protection.committer(catalog))
  }

  /// What recovers.
  func recovery(_ protection: Protection) -> Recovery {
    protection.recovery(catalog, runner, files)
  }

  /// Begins to recover, and is overtaken.
  func beginRecovery(_ protection: Protection) -> LateRecovery {
    let late = LateRecovery()
    let (catalog, runner, files) = (catalog, runner, files)
    journal.beforeFirstSector {
      late.begin(catalog) { log in
        _ = try? protection.recovery(log: log, runner, files).run()
      }
    }
    return late
  }

  /// Opens images as the next command would that changes them; what it meets there of a commit that is settled is
  /// finished by it.
  func meetFences(of nodes: [Node], _ protection: Protection) {
    for node in nodes { protection.meetFence(at: node.path, access) }
  }

  /// Ends the process; what it still does is nothing that a dead one would do.
  ///
  /// - Parameter isFollowed: whether another process goes on with the journal.
  func end(isFollowed: Bool = false) {
    guard !isFollowed else { return catalog.close() }
    journal.finish()
    catalog.close()
    CatalogRecorder.set(nil, for: directory)
  }

  /// Runs jobs in one transaction to their conclusion, or as far as they come.
  ///
  /// - Parameters:
  ///   - jobs: their names, what they were asked to do, and what they do.
  ///   - isFinalizedLater: whether they wait as pending first.
  /// - Returns: whether all have done what they were asked to.
  /// - Throws: if they cannot be started, or do not end.
  func run(
    _ jobs: [(id: JobID, arguments: String, work: any JobWork)], isFinalizedLater: Bool = false
  ) throws -> Bool {
    try runner.start(
      jobs.map { job in
        JobRunner.Request(
          record: JobRecord(
            id: job.id, type: "snapshot-save", subject: nil, autoFinalize: !isFinalizedLater,
            autoDismiss: false, note: nil, arguments: job.arguments,
            created: Timestamp(microseconds: 1_000_000)),
          work: job.work)
      })
    if isFinalizedLater {
      for job in jobs { _ = try wait(for: job.id, orPending: true) }
      let runner = runner
      try blocking { () async throws -> Void in
        for id in jobs.map(\.id) { try? await runner.apply(.finalize, to: id) }
      }
    }
    let records = try jobs.map { try wait(for: $0.id, orPending: false) }
    for result in records.compactMap({ $0?.result }) {
      let result = try JSONDecoder().decode(SnapshotResult.self, from: Data(result.utf8))
      remarks += result.remarks
    }
    return records.allSatisfy { $0?.status == .concluded && $0?.error == nil }
  }

  private func wait(for id: JobID, orPending: Bool) throws -> JobRecord? {
    let runner = runner
    return try blocking { try? await runner.wait(for: id, orPending: orPending) }
  }
}

/// Waits on this thread, which is nobody else's, for something asynchronous.
private func blocking<Value: Sendable>(
  _ body: @escaping @Sendable () async throws -> Value
) throws -> Value {
  let box = Box<Value>()
  let semaphore = DispatchSemaphore(value: 0)
  Task {
    do {
      let value = try await body()
      box.result.withLock { $0 = .success(value) }
    } catch {
      box.result.withLock { $0 = .failure(error) }
    }
    semaphore.signal()
  }
  guard semaphore.wait(timeout: .now() + 60) == .success,
    let result = box.result.withLock({ $0 })
  else { throw OracleError("nothing has happened for a minute") }
  return try result.get()
}

/// A place for one result.
private final class Box<Value: Sendable>: Sendable {
  let result = Mutex<Result<Value, any Error>?>(nil)
}
