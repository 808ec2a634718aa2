import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import TestFiles
import TestOracles

/// A directory with images, a catalog, and what runs jobs on them. Used by one test.
final class Workbench {
  let directory: TemporaryDirectory
  private(set) var catalog: Catalog
  private(set) var runner: JobRunner
  private var jobCount = 0

  init() throws {
    directory = try TemporaryDirectory()
    catalog = try Catalog(path: directory.path("state/catalog.sqlite"))
    runner = JobRunner(store: catalog, committer: ImageCommitter(log: catalog))
  }

  /// Ends this process as far as the catalog is concerned, and starts another one.
  func restart() throws {
    catalog.close()
    catalog = try Catalog(path: directory.path("state/catalog.sqlite"))
    runner = JobRunner(store: catalog, committer: ImageCommitter(log: catalog))
  }

  /// Keeps the catalog as it is now.
  func keepCatalog() throws {
    try Command.run("rm", ["-f", directory.path("kept.sqlite")])
    try catalog.backup(to: directory.path("kept.sqlite"))
  }

  /// Starts another process, perhaps on the catalog that was kept.
  func restart(asKept: Bool) throws {
    guard asKept else { return try restart() }
    catalog.close()
    let path = directory.path("state/catalog.sqlite")
    try Command.run("rm", ["-f", "\(path)-wal", "\(path)-shm"])
    try Command.run("cp", [directory.path("kept.sqlite"), path])
    try restart()
  }

  /// Goes back to a snapshot, in nobody's name.
  func load(_ tag: String, on nodes: [Node]) throws {
    try ImageChange(
      .load(tag, on: nodes), on: Machine(name: nil, nodes: nodes),
      access: ImageAccess(log: catalog)
    ).commit()
  }

  /// The commits that are not settled.
  func unsettledCommits() throws -> [CommitRow] { try catalog.unsettledCommits() }

  /// A job as the catalog has it.
  func job(_ id: JobID) throws -> JobRecord? { try catalog.job(id) }

  /// The commit records.
  var log: any CommitLog { catalog }

  /// What jobs need to open images.
  func access(_ observer: any FileObserver) -> ImageAccess {
    ImageAccess(log: catalog, files: ObservedFiles(observer: observer))
  }

  var recovery: Recovery { Recovery(log: catalog, runner: runner) }

  // MARK: Disks

  /// A node whose image is made by qemu-img.
  func makeDisk(
    _ name: String, size: String = "1M", options: [String] = ["cluster_size=4096"]
  ) throws -> Node {
    let path = directory.path("\(name).qcow2")
    try QemuImg.create(path, size: size, options: options)
    return Node(name: try NodeName(name), path: path)
  }

  /// Two nodes with content, which differs between them.
  func makeTwoDisks(options: [String] = ["cluster_size=4096"]) throws -> [Node] {
    let nodes = [
      try makeDisk("disk0", options: options), try makeDisk("disk1", options: options),
    ]
    try QemuIO.run(["write -P 0x10 0 64k", "write -P 0x11 512k 20k"], on: nodes[0].path)
    try QemuIO.run(["write -P 0x20 0 40k", "write -P 0x21 300k 8k"], on: nodes[1].path)
    return nodes
  }

  // MARK: Jobs

  /// Starts a job and returns its id.
  func start(
    _ request: SnapshotRequest, on nodes: [Node], autoFinalize: Bool = true,
    access: ImageAccess? = nil, runner: JobRunner? = nil
  ) throws -> JobID {
    jobCount += 1
    let id = try JobID("job\(jobCount)")
    try (runner ?? self.runner).start([
      JobRunner.Request(
        record: try jobRecord(id, request, autoFinalize: autoFinalize),
        work: SnapshotWork(
          request, machine: Machine(name: nil, nodes: nodes),
          access: access ?? ImageAccess(log: catalog)))
    ])
    return id
  }

  /// Runs a job to its conclusion.
  @discardableResult
  func run(_ request: SnapshotRequest, on nodes: [Node]) async throws -> JobRecord {
    try await runner.wait(for: try start(request, on: nodes))
  }

  /// Runs a job that is expected to succeed.
  @discardableResult
  func succeed(_ request: SnapshotRequest, on nodes: [Node]) async throws -> SnapshotResult {
    let record = try await run(request, on: nodes)
    if let error = record.error { throw error }
    return try SnapshotResult(parsing: record.result)
  }

  /// Runs a job that is expected to fail, and returns its error.
  func fail(_ request: SnapshotRequest, on nodes: [Node]) async throws -> JobError {
    let record = try await run(request, on: nodes)
    guard let error = record.error else {
      throw OracleError("the job \(record.id) has not failed: \(record.status)")
    }
    return error
  }
}

/// What the catalog gets to know of a job.
func jobRecord(
  _ id: JobID, _ request: SnapshotRequest, autoFinalize: Bool = true
) throws -> JobRecord {
  JobRecord(
    id: id, type: request.operation.rawValue, subject: nil, autoFinalize: autoFinalize,
    autoDismiss: false, note: nil, arguments: try request.json(),
    created: Timestamp(microseconds: 1_000_000))
}
