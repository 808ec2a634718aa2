import JobCatalog
import Jobs
import Qcow2

@testable import SnapshotJobs

/// The commit protocol that is tried: the product's, or one with a guard taken out.
struct Protection: Sendable {
  func committer(_ catalog: Catalog) -> ImageCommitter { ImageCommitter(log: catalog) }

  func recovery(_ catalog: Catalog, _ runner: JobRunner, _ files: any FileAccess) -> Recovery {
    Recovery(log: catalog, runner: runner, files: files)
  }

  /// What a process without a guard would have done instead.
  func rearranged(_ entries: [Journal.Entry]) -> [Journal.Entry] { entries }

  /// The commits that are not settled.
  func openCommitCount(_ catalog: Catalog) throws -> Int { try catalog.openRecords().count }
}
