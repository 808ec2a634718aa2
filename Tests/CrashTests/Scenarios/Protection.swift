import JobCatalog
import Jobs
import Qcow2

@testable import SnapshotJobs

/// The commit protocol that is tried: the product's, or one with a guard taken out.
struct Protection: Sendable {
  /// The order of all steps, and what recovery does with what it finds.
  var tables = CommitTables()
  /// Whether clusters that the old state uses are given back before the new one is published.
  var reusesBeforePublish = false
  /// Whether recovery trusts the page cache for what it finds published, and only makes it durable.
  var trustsPageCache = false
  /// Whether a recovery begins beside the worker, and the worker ends before that recovery has its lock.
  var isOvertaken = false

  func committer(_ catalog: Catalog) -> ImageCommitter {
    ImageCommitter(log: catalog, tables: tables)
  }

  func recovery(_ catalog: Catalog, _ runner: JobRunner, _ files: any FileAccess) -> Recovery {
    recovery(log: catalog, runner, files)
  }

  func recovery(
    log: any CommitLog, _ runner: JobRunner, _ files: any FileAccess
  ) -> Recovery {
    Recovery(log: log, runner: runner, files: files, tables: tables)
  }

  /// Opens an image as a command does that changes it; a fence that goes on standing is seen by the judge.
  func meetFence(at path: String, _ access: ImageAccess) {
    if let image = try? access.open(path, for: .change) { image.unlock() }
  }

  /// The commits that are not settled.
  func openCommitCount(_ catalog: Catalog) throws -> Int { try catalog.unsettledCommits().count }

  /// What a process without a guard would have done instead.
  ///
  /// - Parameters:
  ///   - entries: what one with it has done.
  ///   - files: the files before.
  /// - Returns: what the other has done.
  func rearranged(
    _ entries: [Journal.Entry], from files: [String: FileModel]
  ) -> [Journal.Entry] {
    if trustsPageCache {
      return entries.filter { entry in
        guard case .change(.write(let bytes, at: 0)) = entry.event, bytes.count == 512 else {
          return true
        }
        return files[entry.path]?.cached.bytes(at: 0, count: 512) != Array(bytes)
      }
    }
    guard reusesBeforePublish else { return entries }
    var result = entries
    for path in Set(entries.map(\.path)) {
      guard let publish = result.lastIndex(where: { $0.path == path && $0.isOfFirstSector }) else {
        continue
      }
      let late = result[publish...].filter { $0.path == path && $0.givesBack }
      result =
        result[..<publish] + late + result[publish...].filter { !($0.path == path && $0.givesBack) }
    }
    return result
  }
}

extension Journal.Entry {
  fileprivate var isOfFirstSector: Bool {
    if case .change(.write(_, at: 0)) = event { true } else { false }
  }

  fileprivate var givesBack: Bool {
    switch event {
    case .change(.clear), .change(.length): true
    default: false
    }
  }
}
