import FoundationEssentials
import Jobs
import QMP
import SnapshotJobs

/// What a command's handler works with.
struct CommandContext: Sendable {
  let target: Monitor.Target
  let services: MonitorServices
  let ownJobs: OwnJobs

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
    return jobs.filter { $0.subject == machineName }
  }
}

/// How a job is to be run, apart from what it does.
struct JobOptions: Sendable {
  let id: JobID
  var isAutoFinalized = true
  var isAutoDismissed = false
  var note: String?
}

extension CommandContext {
  /// The pause between two attempts to start a job on a busy machine.
  private static var busyPeriod: Duration { .milliseconds(50) }

  /// Creates and starts a job.
  ///
  /// - Parameters:
  ///   - type: its type in `query-jobs`.
  ///   - request: what it is asked to do; kept as JSON.
  ///   - options: how it is run.
  ///   - work: what it does.
  /// - Throws: `JobError` if it cannot be created; no trace of it is left then.
  func start(
    _ type: String, _ request: some Encodable, _ options: JobOptions, work: any JobWork
  ) async throws {
    let arguments = try Self.text(of: request)
    // Noted before the start: the first event may come before start returns.
    let isNew = ownJobs.insert(options.id)
    do {
      try await whenIdle { () throws(JobError) in
        let record = JobRecord(
          id: options.id, type: type, subject: machineName,
          autoFinalize: options.isAutoFinalized, autoDismiss: options.isAutoDismissed,
          note: options.note, arguments: arguments, created: .now())
        try services.runner.start([.init(record: record, work: work)])
      }
    } catch {
      if isNew { ownJobs.remove(options.id) }
      throw error
    }
  }

  /// A request as the catalog keeps it.
  static func text(of request: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(request), as: UTF8.self)
  }

  /// Tries until the machine is not busy with another job, or patience ends.
  func whenIdle(_ start: () throws(JobError) -> Void) async throws {
    let clock = ContinuousClock()
    let end = clock.now + services.busyPatience
    var isTold = false
    while true {
      do throws(JobError) {
        return try start()
      } catch {
        guard error.kind == .inUse, clock.now < end else { throw error }
        if !isTold { services.onWait(error.message) }
        isTold = true
      }
      try await Task.sleep(for: Self.busyPeriod)
    }
  }
}
