private import Jobs
public import Qcow2

extension ImageAccess {
  /// Repairs one image under its write locks.
  ///
  /// - Parameters:
  ///   - path: the image.
  ///   - scope: what to mend.
  /// - Returns: what a check finds afterwards, and what was mended.
  /// - Throws: `Qcow2Error` with the path: in use while another program holds it, a conflict if a commit on
  ///   it is not settled, or what keeps it from being read or written. The image is as it was then, but
  ///   for a mark.
  public func repair(_ path: String, _ scope: RepairScope) throws(Qcow2Error) -> CheckReport {
    let image = try Image.open(
      path, for: .repair, access: files, patience: lockPatience, onWait: onWait)
    defer { image.unlock() }
    do {
      if let record = try log.openRecords().first(where: { $0.images.contains { $0.names(image) } })
      {
        throw Qcow2Error.conflict(
          "it belongs to a commit that is not settled (job "
            + "\(record.jobs.map(\.description).joined(separator: ", "))). See: snapjob recover")
      }
      return try image.repair(scope, commit: CommitID(), catalog: log.catalogID)
    } catch let error as Qcow2Error {
      throw error.in(path)
    } catch {
      throw Qcow2Error(.io, "\(error)", path: path)
    }
  }
}
