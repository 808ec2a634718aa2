import GRDB
import Jobs

extension JobTable {
  /// Jobs by what they worked on and by id, newest first.
  func history(
    subject: String?, allSubjects: Bool, id: JobID?, includeDismissed: Bool
  ) throws -> [JobRow] {
    var conditions: [String] = []
    var arguments = StatementArguments()
    if !allSubjects {
      conditions.append("job.subject IS ?")
      arguments += [subject]
    }
    if let id {
      conditions.append("job.id = ?")
      arguments += [id.description]
    }
    if !includeDismissed { conditions.append("job.dismissed IS NULL") }
    let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
    return try Row.fetchAll(
      db, sql: "\(JobRow.selection) \(filter) ORDER BY job.seq DESC", arguments: arguments
    ).map(JobRow.init)
  }
}
