import FileNames
import Jobs
import QMP
import SnapshotJobs

/// What a command's handler works with.
struct CommandContext: Sendable {
  let target: Monitor.Target
  let services: MonitorServices
  let ownJobs: OwnJobs
  let announcements: Announcements
  let migrations: Migrations
  /// The files that the client may name.
  var files = NamedFiles.all
  /// Called when a client has asked the monitor to end; nil where nobody serves it.
  let onQuit: (@Sendable () throws(QMPError) -> Void)?

  /// The stored machine's name; nil for a one-off machine.
  var machineName: String? {
    guard case .stored(let name) = target else { return nil }
    return name
  }

  /// The machine as it is now.
  func machine() throws(JobError) -> Machine {
    switch target {
    case .stored(let name): try services.machines.machine(named: name)
    case .oneOff(let machine): machine
    }
  }

  /// The stored machine's name, for commands that change it.
  func storedName() throws(JobError) -> String {
    guard let machineName else {
      throw JobError(
        .usage, "A machine that is made of files alone has no stored nodes to change")
    }
    return machineName
  }

  /// The jobs that are not dismissed, newest first: of the machine, or of all.
  ///
  /// Those of a one-off machine are the ones started here.
  func jobs(ofAllMachines: Bool) throws(JobError) -> [JobRecord] {
    let jobs = try services.runner.jobs()
    if ofAllMachines { return jobs }
    guard let machineName else { return jobs.filter { ownJobs.contains($0.id) } }
    return jobs.filter { $0.subject?.hasSameBytes(as: machineName) == true }
  }
}
