import Testing

@testable import Jobs

/// A runner with toys around it.
struct Workshop: Sendable {
  let catalog: ToyCatalog
  let store: ToyStore
  let diary = Diary()
  let runner: JobRunner
  let remarks = Remarks()
  let threads = HeldThreads()

  /// Sets up a runner on a catalog of its own or a shared one, whose commits end with an outcome
  /// once their gate is open, and whose works are entered at once or when the test says so.
  init(
    catalog: ToyCatalog = ToyCatalog(), worker: Int64 = 1, outcome: CommitOutcome = .committed,
    announcement refusal: JobError? = nil, commitGate: Gate? = nil, holdsThreads: Bool = false,
    settlement: JobRunner.Settlement? = nil
  ) {
    self.catalog = catalog
    store = catalog.store(ofWorker: worker)
    let committer = ToyCommitter(
      diary: diary, outcome: outcome, refusal: refusal, gate: commitGate)
    let remarks = remarks
    let threads = threads
    if holdsThreads {
      runner = JobRunner(
        store: store, committer: committer, settlement: settlement,
        remark: { id, error in remarks.note(id, error) },
        launch: { _, body in threads.hold(body) })
    } else {
      runner = JobRunner(
        store: store, committer: committer, settlement: settlement,
        remark: { id, error in remarks.note(id, error) })
    }
  }

  /// A request for a toy job.
  func request(
    _ name: String, autoFinalize: Bool = true, autoDismiss: Bool = false,
    undoFailure: ToyFailure? = nil, finishFailure: ToyFailure? = nil,
    body: @escaping @Sendable (JobControl) throws -> Void = { _ in }
  ) throws -> JobRunner.Request {
    let record = try toyRecord(name, autoFinalize: autoFinalize, autoDismiss: autoDismiss)
    let work = ToyWork(
      name: name, diary: diary, undoFailure: undoFailure, finishFailure: finishFailure, body: body)
    return JobRunner.Request(record: record, work: work)
  }

  /// Waits until a job has a status.
  func reaches(_ status: JobStatus, _ name: String) async throws {
    try await eventually("\(name) \(status.rawValue)") {
      try store.job(JobID(name))?.status == status
    }
  }

  func info(_ name: String) throws -> JobInfo {
    try #require(try runner.jobs().first { $0.id.description == name }).info
  }
}

/// What a runner told about its jobs beside their records.
final class Remarks: Sendable {
  private let list = Guarded<[String]>([])

  func note(_ id: JobID, _ error: JobError) {
    list.withLock { list in list.append("\(id): \(error.message)") }
  }

  var all: [String] { list.withLock { list in list } }
}

/// Threads that do not start before a test says so.
final class HeldThreads: Sendable {
  private let bodies = Guarded<[@Sendable () -> Void]>([])

  func hold(_ body: @escaping @Sendable () -> Void) {
    bodies.withLock { bodies in bodies.append(body) }
  }

  /// Runs what is held, one after the other, on the caller's thread.
  func release() {
    let held = bodies.withLock { bodies in
      defer { bodies.removeAll() }
      return bodies
    }
    for body in held { body() }
  }
}

/// A record as a client asks for it.
func toyRecord(
  _ name: String, autoFinalize: Bool = true, autoDismiss: Bool = false,
  status: JobStatus = .undefined
) throws -> JobRecord {
  var record = try JobRecord(
    id: JobID(name), type: "toy", subject: nil, autoFinalize: autoFinalize,
    autoDismiss: autoDismiss, note: nil, arguments: "{}", created: .now())
  record.status = status
  return record
}

/// Waits for something that other threads bring about; a test that waits in vain fails.
func eventually(
  _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () throws -> Bool
) async throws {
  for _ in 0..<15_000 {
    if try condition() { return }
    try await Task.sleep(for: .milliseconds(2))
  }
  Issue.record("waited in vain: \(what)", sourceLocation: sourceLocation)
}

/// What an operation throws, as its sentence.
func refusal(_ operation: () async throws(JobError) -> Void) async -> String? {
  do throws(JobError) {
    try await operation()
    return nil
  } catch {
    return error.message
  }
}
