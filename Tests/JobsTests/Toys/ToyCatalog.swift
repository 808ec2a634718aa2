@testable import Jobs

/// A catalog in memory, which the stores of several workers share as processes share a file.
final class ToyCatalog: Sendable {
  struct State {
    var jobs: [JobRecord] = []
    var events: [(number: Int64, event: JobEvent)] = []
    var requests: [(worker: Int64, request: VerbRequest)] = []
    var answers: [Int64: VerbAnswer] = [:]
    var withdrawn: Set<Int64> = []
    var takenUp: Set<Int64> = []
    var transactions: Int64 = 0
    var jobCount: Int64 = 0
    var writes: [Int64: Int64] = [:]
    var progressWrites: [JobProgress] = []
    var deadWorkers: Set<Int64> = []
    /// What the catalog cannot record; asked before each record is written.
    var refusal: @Sendable (JobRecord) -> JobError? = { _ in nil }
    var isUnreadable = false
    var isClosed = false
  }

  let state = Guarded(State())

  func store(ofWorker worker: Int64) -> ToyStore { ToyStore(catalog: self, worker: worker) }

  func kill(worker: Int64) { state.withLock { state in _ = state.deadWorkers.insert(worker) } }

  func refuse(_ refusal: @escaping @Sendable (JobRecord) -> JobError?) {
    state.withLock { state in state.refusal = refusal }
  }

  func becomeUnreadable() { state.withLock { state in state.isUnreadable = true } }

  func close() {
    state.withLock { state in (state.isUnreadable, state.isClosed) = (true, true) }
  }

  /// The statuses that a job has passed, in order.
  func trail(of name: String) -> [JobStatus] {
    state.withLock { state in
      state.events.filter { $0.event.id.description == name }.map(\.event.status)
    }
  }

  var hasRequests: Bool { state.withLock { state in !state.requests.isEmpty } }

  /// Requests that no worker has taken up and nobody has withdrawn.
  var waitingRequestCount: Int {
    state.withLock { state in
      state.requests.count - state.withdrawn.count - state.takenUp.count
    }
  }

  /// When the first status change was, in the catalog's words.
  var firstEventTime: Timestamp? { state.withLock { state in state.events.first?.event.time } }

  /// All status changes in order, as `name status`.
  var trail: [String] {
    state.withLock { state in
      state.events.map { "\($0.event.id) \($0.event.status.rawValue)" }
    }
  }

  var progressWrites: [JobProgress] { state.withLock { state in state.progressWrites } }

  /// Puts a record in as an earlier process may have left it, and returns it with its number.
  @discardableResult func leave(_ record: JobRecord, worker: Int64) -> JobRecord {
    state.withLock { state in
      var record = record
      record.worker = WorkerInfo(id: worker, pid: 4711, uid: 0, isAlive: true)
      state.jobCount += 1
      record.number = state.jobCount
      state.jobs.insert(record, at: 0)
      return record
    }
  }
}

/// One worker's view of a toy catalog.
struct ToyStore: JobStore {
  let catalog: ToyCatalog
  let worker: Int64

  var isClosed: Bool { catalog.state.withLock { $0.isClosed } }

  func insert(_ jobs: [JobRecord]) throws(JobError) -> [JobRecord] {
    try write { state throws(JobError) in
      for job in jobs where state.jobs.contains(where: { $0.id == job.id }) {
        throw .jobIDInUse(job.id)
      }
      state.transactions += 1
      var stored: [JobRecord] = []
      for var job in jobs {
        state.jobCount += 1
        job.number = state.jobCount
        job.status = .created
        job.transaction = state.transactions
        job.worker = WorkerInfo(id: worker, pid: Int32(worker), uid: 0, isAlive: true)
        state.jobs.insert(job, at: 0)
        note(job, at: job.created, in: &state)
        stored.append(job)
      }
      return stored
    }
  }

  func record(_ steps: [JobRecord], at time: Timestamp) throws(JobError) {
    try write { state throws(JobError) in
      for step in steps {
        if let error = state.refusal(step) { throw error }
      }
      for step in steps {
        guard let index = state.jobs.firstIndex(where: { $0.number == step.number }) else {
          throw .jobNotFound
        }
        let old = state.jobs[index]
        var new = step
        new.worker = old.worker
        state.jobs[index] = new
        if new.status == .null { state.jobs.remove(at: index) }
        if new.status != old.status { note(new, at: time, in: &state) }
      }
    }
  }

  func recordProgress(_ progress: JobProgress, of number: Int64) throws(JobError) {
    try write { state throws(JobError) in
      state.progressWrites.append(progress)
      if let index = state.jobs.firstIndex(where: { $0.number == number }) {
        state.jobs[index].progress = progress
      }
    }
  }

  func job(_ id: JobID) throws(JobError) -> JobRecord? { try jobs().first { $0.id == id } }

  func jobs() throws(JobError) -> [JobRecord] {
    try read { state in
      state.jobs.map { job in
        var job = job
        job.worker = job.worker.map { worker in
          WorkerInfo(
            id: worker.id, pid: worker.pid, uid: worker.uid,
            isAlive: !state.deadWorkers.contains(worker.id))
        }
        return job
      }
    }
  }

  func request(_ verb: JobVerb, of job: Int64) throws(JobError) -> Int64 {
    try write { state throws(JobError) in
      guard let job = state.jobs.first(where: { $0.number == job }), let worker = job.worker else {
        throw .jobNotFound
      }
      let number = Int64(state.requests.count + 1)
      let request = VerbRequest(number: number, job: job.number, id: job.id, verb: verb)
      state.requests.append((worker.id, request))
      return number
    }
  }

  func answer(to request: Int64) throws(JobError) -> VerbAnswer? {
    try read { state in state.answers[request] }
  }

  func withdraw(_ request: Int64) throws(JobError) -> Bool {
    try write { state throws(JobError) in
      guard !state.takenUp.contains(request) else { return false }
      state.withdrawn.insert(request)
      return true
    }
  }

  func takeUp(_ request: Int64) throws(JobError) -> Bool {
    try write { state throws(JobError) in
      guard !state.withdrawn.contains(request) else { return false }
      state.takenUp.insert(request)
      return true
    }
  }

  func openRequests() throws(JobError) -> [VerbRequest] {
    try read { state in
      state.requests
        .filter { $0.worker == worker && state.answers[$0.request.number] == nil }
        .filter { !state.withdrawn.contains($0.request.number) }
        .map(\.request)
    }
  }

  func answer(_ request: Int64, with answer: VerbAnswer) throws(JobError) {
    try write { state throws(JobError) in state.answers[request] = answer }
  }

  func changeCounter() throws(JobError) -> Int64 {
    try read { state in
      state.writes.filter { $0.key != worker }.reduce(0) { $0 + $1.value }
    }
  }

  func events(after last: Int64) throws(JobError) -> [(number: Int64, event: JobEvent)] {
    try read { state in state.events.filter { $0.number > last } }
  }

  func lastEventNumber() throws(JobError) -> Int64 {
    try read { state in state.events.last?.number ?? 0 }
  }

  private func note(_ job: JobRecord, at time: Timestamp, in state: inout ToyCatalog.State) {
    let number = Int64(state.events.count + 1)
    state.events.append((number, JobEvent(id: job.id, status: job.status, time: time)))
  }

  private func read<Value: Sendable>(
    _ body: (ToyCatalog.State) -> Value
  ) throws(JobError) -> Value {
    try catalog.state.withLock { state throws(JobError) in
      if state.isUnreadable { throw JobError(.catalog, "The toy catalog cannot be read") }
      return body(state)
    }
  }

  private func write<Value: Sendable>(
    _ body: (inout ToyCatalog.State) throws(JobError) -> Value
  ) throws(JobError) -> Value {
    try catalog.state.withLock { state throws(JobError) in
      let value = try body(&state)
      state.writes[worker, default: 0] += 1
      return value
    }
  }
}
