import Jobs
import QMP
import SnapshotJobs

extension CommandContext {
  /// Counts what a command has done, and announces it if the client has asked for that.
  ///
  /// - Parameters:
  ///   - command: its name.
  ///   - target: the image that it is at; nil if it looks at several together.
  ///   - arguments: the command's.
  /// - Returns: the counter.
  func progress(
    of command: String, _ target: String?, _ arguments: Arguments
  ) -> InspectionProgress {
    guard arguments.flag("progress") else { return InspectionProgress() }
    return InspectionProgress { [announcements] current, total in
      announcements.announce(
        QMPEvent(
          name: "X_SNAPJOB_PROGRESS",
          data: [
            "command": .string(command), "target": QMPValue(target), "current": .int(current),
            "total": .int(total),
          ], microseconds: Timestamp.now().microseconds))
    }
  }
}
