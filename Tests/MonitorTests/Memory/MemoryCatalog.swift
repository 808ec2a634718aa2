import Jobs
import Monitor
import Synchronization

/// The care of a catalog that is nowhere.
final class MemoryCatalog: CatalogMaintenance {
  private let copies = Mutex<[String]>([])

  /// Where copies were written.
  var backups: [String] { copies.withLock { copies in copies } }

  var path: String { "/catalog.sqlite" }

  func owns(_ path: String) -> Bool { path == self.path }
  func check() throws(JobError) -> [String] { ["a row is missing"] }
  func backup(to path: String) throws(JobError) {
    copies.withLock { copies in copies.append(path) }
  }
  func prune() throws(JobError) -> (dismissed: Int, deleted: Int) { (2, 3) }
}
