import FoundationEssentials
import Jobs
import QMP

/// How a job is to be run, apart from what it does.
struct JobOptions: Sendable {
  let id: JobID
  var isAutoFinalized = true
  var isAutoDismissed = false
  var note: String?
}

/// A job that is about to be created.
struct NewJob: Sendable {
  let options: JobOptions
  /// Its type in `query-jobs`.
  let type: String
  /// What it is asked to do, as JSON.
  let arguments: String
  let work: any JobWork

  /// Describes a job.
  ///
  /// - Parameters:
  ///   - type: its type in `query-jobs`.
  ///   - request: what it is asked to do; kept as JSON.
  ///   - options: how it is run.
  ///   - work: what it does.
  /// - Throws: the encoder's error.
  init(
    _ type: String, _ request: some Encodable, _ options: JobOptions, work: any JobWork
  ) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    arguments = String(decoding: try encoder.encode(request), as: UTF8.self)
    self.type = type
    self.options = options
    self.work = work
  }

  /// What the store is to keep.
  func record(onMachine name: String?) -> JobRecord {
    JobRecord(
      id: options.id, type: type, subject: name, autoFinalize: options.isAutoFinalized,
      autoDismiss: options.isAutoDismissed, note: options.note, arguments: arguments,
      created: .now())
  }
}

extension CommandContext {
  /// The pause between two attempts to start a job on a busy machine.
  private static var busyPeriod: Duration { .milliseconds(50) }

  /// Creates and starts a job.
  ///
  /// - Throws: `JobError` if it cannot be created; no trace of it is left then.
  func start(
    _ type: String, _ request: some Encodable, _ options: JobOptions, work: any JobWork
  ) async throws {
    try await start([try NewJob(type, request, options, work: work)], .grouped)
  }

  /// Creates and starts jobs, all or none.
  ///
  /// - Parameters:
  ///   - jobs: the jobs.
  ///   - grouping: whether they are committed together.
  ///   - onceCreated: called when nothing but itself can keep the jobs from being started.
  /// - Throws: `JobError` if one cannot be created, or what `onceCreated` throws.
  func start(
    _ jobs: [NewJob], _ grouping: JobGrouping, onceCreated: () throws(JobError) -> Void = {}
  ) async throws {
    // Noted before the start: the first event may come before start returns.
    let new = jobs.map(\.options.id).filter { ownJobs.insert($0) }
    var areCreated = false
    var failure: JobError?
    do {
      try await whenIdle { () throws(JobError) in
        let requests = jobs.map {
          JobRunner.Request(record: $0.record(onMachine: machineName), work: $0.work)
        }
        do throws(JobError) {
          try services.runner.start(requests, grouping) { () throws(JobError) in
            areCreated = true
            try onceCreated()
          }
        } catch {
          // What was to be done once they were created is not tried again.
          guard areCreated else { throw error }
          failure = error
        }
      }
      if let failure { throw failure }
    } catch {
      new.forEach(ownJobs.remove)
      throw error
    }
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
