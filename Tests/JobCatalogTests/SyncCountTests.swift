import Foundation
import JobCatalog
import Jobs
import Qcow2
import SnapshotJobs
import Synchronization
import TestFiles
import Testing

/// What a save costs in what has to be waited for: fsyncs of images and durable commits of the catalog.
@Suite struct SyncCountTests {
  private let home: TemporaryCatalog
  private let statements = StatementLog()
  private let syncs = SyncCounter()

  init() throws { home = try TemporaryCatalog() }

  /// Saves some new disks and tells the fsyncs of each and the durable commits.
  private func save(
    diskCount: Int, autoFinalize: Bool = true, dataByteCount: Int = 0
  ) async throws -> (images: [Int], commits: Int) {
    let log = statements
    let catalog = try home.open(onStatement: { log.append($0) })
    defer { catalog.close() }
    var nodes: [Node] = []
    for index in 0..<diskCount {
      let path = "\(home.directory)/disk\(index).qcow2"
      try Image.create(path, CreateOptions(size: 64 << 20))
      if dataByteCount > 0 { try write(dataByteCount, to: path) }
      nodes.append(Node(name: try NodeName("disk\(index)"), path: path))
    }
    let runner = JobRunner(store: catalog, committer: ImageCommitter(log: catalog))
    let request = SnapshotRequest(
      operation: .save, tag: "t", devices: nodes.map(\.name.description), vmstate: nil)
    let id = try JobID("save")
    let record = JobRecord(
      id: id, type: "snapshot-save", subject: nil, autoFinalize: autoFinalize, autoDismiss: false,
      note: nil, arguments: "{}", created: Timestamp(microseconds: 1))
    let work = SnapshotWork(
      request, machine: Machine(name: nil, nodes: nodes),
      access: ImageAccess(log: catalog, files: ObservedFiles(observer: syncs)))
    statements.reset()
    try runner.start([JobRunner.Request(record: record, work: work)])
    if !autoFinalize {
      _ = try await runner.wait(for: id, orPending: true)
      try await runner.apply(.finalize, to: id)
    }
    let end = try await runner.wait(for: id)
    #expect(end.status == .concluded && end.error == nil, "\(String(describing: end.error))")
    let commits = statements.commitLevels().count { $0 == "FULL" }
    for node in nodes {
      let image = try Image.open(node.path, for: .read)
      #expect(image.snapshots.map(\.name) == ["t"])
    }
    return (nodes.map { syncs.count(of: $0.path) }, commits)
  }

  /// Data whose L2 tables a save has to write anew.
  private func write(_ byteCount: Int, to path: String) throws {
    let image = try Image.open(path, for: .change)
    defer { image.unlock() }
    var draft = try ImageDraft(image)
    try draft.write([UInt8](repeating: 1, count: byteCount), at: 0)
    try draft.settle { _ in }
    let prepared = try draft.prepare { _ in }
    try prepared.publish()
    try prepared.finish()
  }

  @Test func aSaveOfOneDiskWaitsForItTwiceAndForTheCatalogTwice() async throws {
    let cost = try await save(diskCount: 1)
    #expect(cost.images == [2])
    #expect(cost.commits == 2)
  }

  @Test(arguments: [2, 3, 5])
  func aSaveOfSeveralWaitsForEachTwiceAndForTheCatalogThreeTimes(diskCount: Int) async throws {
    let cost = try await save(diskCount: diskCount, dataByteCount: 100_000)
    #expect(cost.images == Array(repeating: 2, count: diskCount))
    #expect(cost.commits == 3)
  }

  @Test func aJobThatWaitsToBeFinalizedHasItsDataOnTheDiskBefore() async throws {
    let cost = try await save(diskCount: 3, autoFinalize: false)
    #expect(cost.images == [3, 3, 3])
    #expect(cost.commits == 3)
  }
}

/// How often each file was made durable.
private final class SyncCounter: FileObserver {
  private let counts = Mutex<[String: Int]>([:])

  func perform(
    _ operation: FileOperation, on file: any ImageFile, _ body: () throws(Qcow2Error) -> Void
  ) throws(Qcow2Error) {
    if case .synchronize = operation {
      counts.withLock { $0[file.path, default: 0] += 1 }
    }
    try body()
  }

  func count(of path: String) -> Int { counts.withLock { $0[path] ?? 0 } }
}
