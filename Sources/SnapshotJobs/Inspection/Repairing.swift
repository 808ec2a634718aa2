private import Jobs
public import Qcow2

extension ImageAccess {
  /// Repairs one image under its write locks.
  ///
  /// - Parameters:
  ///   - path: the image.
  ///   - scope: what to mend.
  ///   - progress: told what is done.
  /// - Returns: what a check finds afterwards, and what was mended.
  /// - Throws: `Qcow2Error` with the path: in use while another program holds it, a conflict if a commit on
  ///   it cannot be finished, or what keeps it from being read or written. The image is as it was then.
  public func repair(
    _ path: String, _ scope: RepairScope, progress: InspectionProgress = InspectionProgress()
  ) throws(Qcow2Error) -> CheckReport {
    do {
      try CommitGate(log: log, files: files).finish(concerning: [path])
      let image = try open(path, for: .repair)
      defer { image.unlock() }
      let member = OpenImages.Member(
        node: Node(name: try NodeName("image"), path: path), image: image)
      // What the guest sees stays as it is, and so does the device state that goes with it.
      let note = try PresentState([member], log: log).noteOfNextCommit(0)
      return try image.repair(scope, progress.advance, foresee: progress.foresee) { prepared in
        let member = PreparedSnapshots.Member(
          node: member.node, prepared: prepared, deviceState: note, staged: nil)
        try ImageCommitter(log: log).commit(member, access: files)
        StagedStates.note([member.finished].compactMap { $0 }, in: log)
      }
    } catch let error as Qcow2Error {
      throw error.in(path)
    } catch let error as JobError {
      throw Qcow2Error(error.kind.engineCode, error.message)
    } catch {
      throw Qcow2Error(.io, "\(error)", path: path)
    }
  }
}

extension FailureKind {
  /// The engine's code for a commit that failed.
  fileprivate var engineCode: Qcow2Error.Code {
    switch self {
    case .noSpace: .noSpace
    case .inUse: .inUse
    case .permission: .permission
    case .notFound: .notFound
    case .conflict: .conflict
    case .general, .refused, .cancelled, .catalog, .timeout, .connection, .usage: .io
    }
  }
}
