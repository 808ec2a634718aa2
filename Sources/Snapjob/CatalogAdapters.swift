import JobCatalog
import Jobs
import Monitor

/// The catalog as the monitor asks it about the past.
struct CatalogHistory: JobHistory {
  let catalog: Catalog

  func history(
    subject: String?, allSubjects: Bool, id: JobID?
  ) throws(JobError) -> [JobRecord] {
    try catalog.history(subject: subject, allSubjects: allSubjects, id: id).map(\.record)
  }

  func statusLog(of id: JobID) throws(JobError) -> [(status: JobStatus, time: Timestamp)] {
    try catalog.statusLog(of: id)
  }
}

/// The catalog as the monitor takes care of it.
struct CatalogCare: CatalogMaintenance {
  let catalog: Catalog

  var path: String { catalog.path }

  func owns(_ path: String) -> Bool { catalog.owns(path) }

  func check() throws(JobError) -> [String] { try catalog.check() }

  func backup(to path: String) throws(JobError) { try catalog.backup(to: path) }

  func prune() throws(JobError) -> (dismissed: Int, deleted: Int) {
    let report = try catalog.prune()
    return (report.dismissed, report.deleted)
  }
}
